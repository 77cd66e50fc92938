/* Convolution on a device: four output channels at a time, every output position gathers its patch. */
#include "device.h"

typedef struct geometry {
    const sf_op* op;
    int32_t in_h, in_w, in_c, zero;
    int32_t group_in; /* channels of a patch */
    int32_t joined;   /* the taps of a kernel row lie side by side in the input */
} geometry;

/* One kernel row of the patch: taps kx0 .. kx1-1 from the input, zeros beside them. */
static void gather_row(const geometry* g, const int8_t* line, int32_t x0, int32_t kx0, int32_t kx1, int16_t* out)
{
    const sf_op* op = g->op;
    const uint32_t c = (uint32_t)g->group_in;
    if (kx0 > 0)
        sf_fill(out, 0, (uint32_t)kx0 * c * sizeof *out);
    if (g->joined)
        sf_widen_patch(line + (size_t)(x0 + kx0) * c, (uint32_t)(kx1 - kx0) * c, g->zero, out + (size_t)kx0 * c);
    else
        for (int32_t kx = kx0; kx < kx1; kx++)
            sf_widen_patch(line + (size_t)(x0 + kx * op->dilation_w) * (size_t)g->in_c, c, g->zero, out + (size_t)kx * c);
    if (kx1 < op->kernel_w)
        sf_fill(out + (size_t)kx1 * c, 0, (uint32_t)(op->kernel_w - kx1) * c * sizeof *out);
}

/* Taps first .. last-1 of a kernel side lie inside the input, and the first tap of all at origin. */
typedef struct span {
    int32_t origin, first, last;
} span;

/* The patch at one output position, with zeros in the padding. x: the first channel of the group in one sample. */
static void gather(const geometry* g, const int8_t* x, const span* v, const span* h, int16_t* out)
{
    const sf_op* op = g->op;
    const size_t row = (size_t)op->kernel_w * (size_t)g->group_in, line = (size_t)g->in_w * (size_t)g->in_c;
    for (int32_t ky = 0; ky < op->kernel_h; ky++, out += row)
        if (ky < v->first || ky >= v->last || h->first == h->last)
            sf_fill(out, 0, row * sizeof *out);
        else
            gather_row(g, x + (size_t)(v->origin + ky * op->dilation_h) * line, h->origin, h->first, h->last, out);
}

/* All output positions of one sample, y[at] being the first output. */
static void run_windows(const sf_call* call, const geometry* g, const sf_device_tile* tile, const int8_t* x, size_t at)
{
    const sf_op* op = call->op;
    const size_t out_c = (size_t)call->out->dims[2];
    for (int32_t oy = 0; oy < call->out->dims[0]; oy++) {
        span v = {oy * op->stride_h - op->pad_top, 0, 0};
        sf_taps(v.origin, op->dilation_h, op->kernel_h, g->in_h, &v.first, &v.last);
        for (int32_t ox = 0; ox < call->out->dims[1]; ox++, at += out_c) {
            span h = {ox * op->stride_w - op->pad_left, 0, 0};
            sf_taps(h.origin, op->dilation_w, op->kernel_w, g->in_w, &h.first, &h.last);
            gather(g, x, &v, &h, tile->patch);
            sf_device_tile_multiply(tile, call->y, at);
        }
    }
}

/* The same for a 1x1 kernel that visits every position: the patch is the position. */
static void run_points(const sf_call* call, const geometry* g, const sf_device_tile* tile, const int8_t* x, size_t at)
{
    const size_t positions = (size_t)g->in_h * (size_t)g->in_w, out_c = (size_t)call->out->dims[2];
    for (size_t p = 0; p < positions; p++, x += g->in_c, at += out_c) {
        sf_widen_patch(x, (uint32_t)g->in_c, g->zero, tile->patch);
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
                        group_in, op->groups == 1 && op->dilation_w == 1};
    sf_device_tile tile;
    sf_device_tile_open(&tile, call->work, (uint32_t)(op->kernel_h * op->kernel_w * group_in));
    for (uint32_t group = 0; group < groups; group++)
        for (uint32_t r = 0; r < rows; r += SF_DEVICE_ROWS) {
            const uint32_t first = group * rows + r;
            sf_device_tile_stage(&tile, call, first, sf_min_u32(SF_DEVICE_ROWS, rows - r), positions);
            run_rows(call, &g, &tile, (size_t)group * (size_t)group_in, first);
        }
}
