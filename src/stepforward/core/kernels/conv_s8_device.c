/* Convolution on a device: four output channels at a time, every output position gathers its patch. */
#include "device.h"

typedef struct geometry {
    const sf_op* op;
    int32_t in_h, in_w, in_c, zero;
    int32_t group_in; /* channels of a patch */
    int32_t joined;   /* the taps of a kernel row lie side by side in the input */
    size_t line;      /* bytes of an input row */
} geometry;

/* Taps first .. last-1 of a kernel side lie inside the input; the first of all taps is at origin. */
typedef struct span {
    int32_t origin, first, last;
} span;

/* The patch at one output position, with zeros in the padding. x: the first channel of the group in one sample. */
static void gather(const geometry* g, const int8_t* x, const span* v, const span* h, int16_t* out)
{
    const sf_op* op = g->op;
    const size_t c = (size_t)g->group_in, row = (size_t)op->kernel_w * c;
    const uint32_t taps = (uint32_t)(h->last - h->first), run = g->joined ? taps * (uint32_t)c : (uint32_t)c;
    const sf_widening inside = {(size_t)op->dilation_w * (size_t)g->in_c, c, g->joined ? 1 : taps, run, g->zero};
    x += (size_t)(h->origin + h->first * op->dilation_w) * (size_t)g->in_c;
    for (int32_t ky = 0; ky < op->kernel_h; ky++, out += row) {
        if (ky < v->first || ky >= v->last || taps == 0) {
            sf_fill(out, 0, row * sizeof *out);
            continue;
        }
        if (h->first > 0)
            sf_fill(out, 0, (size_t)h->first * c * sizeof *out);
        sf_widen_runs(&inside, x + (size_t)(v->origin + ky * op->dilation_h) * g->line, out + (size_t)h->first * c);
        if (h->last < op->kernel_w)
            sf_fill(out + (size_t)h->last * c, 0, (size_t)(op->kernel_w - h->last) * c * sizeof *out);
    }
}

/* All output positions of one sample, y[at] being the first output. */
static void run_windows(const sf_call* call, const geometry* g, const sf_device_tile* tile, const int8_t* x, size_t at)
{
    const sf_op* op = call->op;
    const size_t out_c = (size_t)call->out->dims[2], c = (size_t)g->group_in;
    const ptrdiff_t step = (ptrdiff_t)op->stride_w * g->in_c;
    const sf_widening whole = {(size_t)op->dilation_h * g->line, (size_t)op->kernel_w * c, (uint32_t)op->kernel_h,
                               (uint32_t)op->kernel_w * (uint32_t)c, g->zero};
    for (int32_t oy = 0; oy < call->out->dims[0]; oy++) {
        span v = {oy * op->stride_h - op->pad_top, 0, 0}, h = {-op->pad_left, 0, 0};
        sf_taps(v.origin, op->dilation_h, op->kernel_h, g->in_h, &v.first, &v.last);
        const int32_t inside = g->joined && v.last - v.first == op->kernel_h ? g->in_w - op->kernel_w : -1;
        ptrdiff_t from = v.origin * (ptrdiff_t)g->line + h.origin * (ptrdiff_t)g->in_c;
        for (int32_t ox = 0; ox < call->out->dims[1]; ox++, at += out_c, h.origin += op->stride_w, from += step) {
            if (h.origin >= 0 && h.origin <= inside) {
                sf_widen_runs(&whole, x + from, tile->patch);
            } else {
                sf_taps(h.origin, op->dilation_w, op->kernel_w, g->in_w, &h.first, &h.last);
                gather(g, x, &v, &h, tile->patch);
            }
            sf_device_tile_multiply(tile, call->y, at);
        }
    }
}

/* The same for a 1x1 kernel that visits every position: the patch is the position. */
static void run_points(const sf_call* call, const geometry* g, const sf_device_tile* tile, const int8_t* x, size_t at)
{
    const size_t positions = (size_t)g->in_h * (size_t)g->in_w, in_c = (size_t)g->in_c, out_c = (size_t)call->out->dims[2];
    const sf_widening one = {0, 0, 1, (uint32_t)in_c, g->zero};
    for (size_t p = 0; p < positions; p++, x += in_c, at += out_c) {
        sf_widen_runs(&one, x, tile->patch);
        sf_device_tile_multiply(tile, call->y, at);
    }
}

static void run_rows(const sf_call* call, const geometry* g, const sf_device_tile* tile, size_t channel, size_t first_row)
{
    const sf_op* op = call->op;
    const int points = op->kernel_h == 1 && op->kernel_w == 1 && op->stride_h == 1 && op->stride_w == 1 && op->groups == 1 &&
                       (op->pad_top | op->pad_left | op->pad_bottom | op->pad_right) == 0;
    const int8_t* x = (const int8_t*)call->x + channel;
    size_t at = first_row;
    for (uint32_t s = 0; s < call->n; s++, x += call->in->elements, at += (size_t)call->out->elements)
        (points ? run_points : run_windows)(call, g, tile, x, at);
}

void sf_conv_s8_device(const sf_call* call)
{
    const sf_tensor *in = call->in, *out = call->out;
    const sf_op* op = call->op;
    const uint32_t groups = (uint32_t)op->groups, rows = (uint32_t)out->dims[2] / groups;
    const size_t positions = (size_t)call->n * (size_t)out->dims[0] * (size_t)out->dims[1];
    const int32_t group_in = in->dims[2] / op->groups;
    const geometry g = {op,       in->dims[0], in->dims[1], in->dims[2], in->zero_point,
                        group_in, op->groups == 1 && op->dilation_w == 1, (size_t)in->dims[1] * (size_t)in->dims[2]};
    sf_device_tile tile;
    sf_device_tile_open(&tile, call->work, (uint32_t)(op->kernel_h * op->kernel_w * group_in));
    for (uint32_t group = 0; group < groups; group++)
        for (uint32_t r = 0; r < rows; r += SF_DEVICE_ROWS) {
            const uint32_t first = group * rows + r;
            sf_device_tile_stage(&tile, call, first, sf_min_u32(SF_DEVICE_ROWS, rows - r), positions);
            run_rows(call, &g, &tile, (size_t)group * (size_t)group_in, first);
        }
}
