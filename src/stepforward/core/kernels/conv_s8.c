/* Convolution: groups, stride, dilation, four paddings. A tile of rows is staged, then every output position gathers its patch. */
#include "device.h"

/* One output position's way through the input. */
typedef struct geometry {
    int32_t in_h, in_w, in_c, out_h, out_w, out_c;
    int32_t zero;
    int32_t group_in;
} geometry;


/* The patch of output (oy, ox), channels of one group, as s16 with zeros in the padding. x: one sample. */
SF_CLONES
static void gather(const geometry* g, const sf_op* op, const int8_t* x, int32_t oy, int32_t ox, int32_t channel, int16_t* out)
{
    const int32_t y0 = oy * op->stride_h - op->pad_top, x0 = ox * op->stride_w - op->pad_left;
    const int32_t row = op->kernel_w * g->group_in;
    int32_t ky0, ky1, kx0, kx1;
    sf_taps(y0, op->dilation_h, op->kernel_h, g->in_h, &ky0, &ky1);
    sf_taps(x0, op->dilation_w, op->kernel_w, g->in_w, &kx0, &kx1);
    for (int32_t ky = 0; ky < op->kernel_h; ky++, out += row) {
        if (ky < ky0 || ky >= ky1 || kx0 == kx1) {
            sf_fill(out, 0, (size_t)row * sizeof *out);
            continue;
        }
        const int8_t* line = x + (size_t)(y0 + ky * op->dilation_h) * (size_t)g->in_w * (size_t)g->in_c + channel;
        if (kx0 > 0)
            sf_fill(out, 0, (size_t)(kx0 * g->group_in) * sizeof *out);
        if (op->groups == 1 && op->dilation_w == 1)
            sf_widen(line + (size_t)(x0 + kx0) * (size_t)g->in_c, (kx1 - kx0) * g->in_c, g->zero, out + kx0 * g->in_c);
        else
            for (int32_t kx = kx0; kx < kx1; kx++)
                sf_widen(line + (size_t)(x0 + kx * op->dilation_w) * (size_t)g->in_c, g->group_in, g->zero, out + kx * g->group_in);
        if (kx1 < op->kernel_w)
            sf_fill(out + kx1 * g->group_in, 0, (size_t)((op->kernel_w - kx1) * g->group_in) * sizeof *out);
    }
}

static void run_rows(const sf_call* call, const geometry* g, const sf_tile* tile, int32_t channel, uint32_t first_row)
{
    const sf_op* op = call->op;
    const size_t sample = (size_t)g->in_h * (size_t)g->in_w * (size_t)g->in_c, out_c = (size_t)g->out_c;
    const size_t positions = (size_t)call->n * (size_t)g->out_h * (size_t)g->out_w;
    const int pointwise = op->kernel_h == 1 && op->kernel_w == 1 && op->stride_h == 1 && op->stride_w == 1 &&
                          op->groups == 1 && (op->pad_top | op->pad_left | op->pad_bottom | op->pad_right) == 0;
    const int8_t* x = (const int8_t*)call->x;
    int32_t oy = 0, ox = 0;
    for (size_t at = 0; at < positions; at += tile->patch_count) {
        const uint32_t count = (uint32_t)(positions - at < tile->patch_count ? positions - at : tile->patch_count);
        if (pointwise)
            sf_tile_patches(tile, x + at * (size_t)g->in_c, count, g->zero);
        else
            for (uint32_t p = 0; p < count; p++) {
                gather(g, op, x, oy, ox, channel, tile->patches + (size_t)p * tile->stride);
                if (++ox == g->out_w) {
                    ox = 0;
                    if (++oy == g->out_h) {
                        oy = 0;
                        x += sample;
                    }
                }
            }
        sf_tile_multiply(tile, count, call->y, at * out_c + first_row, out_c);
    }
}

void sf_conv_s8(const sf_call* call)
{
    if (call->row_tile == SF_DEVICE_ROWS) {
        sf_conv_s8_device(call);
        return;
    }
    const sf_tensor *in = call->in, *out = call->out;
    const uint32_t groups = (uint32_t)call->op->groups, rows = (uint32_t)out->dims[2] / groups;
    const geometry g = {in->dims[0],    in->dims[1],  in->dims[2],      out->dims[0],
                        out->dims[1],   out->dims[2], in->zero_point, in->dims[2] / (int32_t)groups};
    sf_tile tile;
    sf_tile_open(&tile, call->work, call->row_tile, rows,
                 (uint32_t)(call->op->kernel_h * call->op->kernel_w * g.group_in));
    for (uint32_t group = 0; group < groups; group++)
        for (uint32_t r = 0; r < rows; r += tile.capacity) {
            const uint32_t first = group * rows + r;
            sf_tile_stage(&tile, call, first, sf_min_u32(tile.capacity, rows - r));
            run_rows(call, &g, &tile, (int32_t)group * g.group_in, first);
        }
}
