/* Max pool: the largest value of each window; padding never wins. */
#include "max_pool_s8.h"

SF_CLONES
void sf_max_window_plain(const sf_max_window* v, uint32_t first, uint32_t channels, int8_t* y)
{
    for (uint32_t c = first; c < channels; c++)
        y[c] = -128;
    for (int32_t ky = 0; ky < v->taps_y; ky++)
        for (int32_t kx = 0; kx < v->taps_x; kx++) {
            const int8_t* x = v->x + (size_t)ky * v->row + (size_t)kx * v->step;
            for (uint32_t c = first; c < channels; c++)
                y[c] = x[c] > y[c] ? x[c] : y[c];
        }
    for (uint32_t c = first; c < channels; c++)
        y[c] = (int8_t)sf_clamp(y[c], v->lo, v->hi);
}

void sf_max_pool_s8(const sf_call* call)
{
    const sf_op* op = call->op;
    const sf_tensor *in = call->in, *out = call->out;
    const size_t channels = (size_t)in->dims[2], line = (size_t)in->dims[1] * channels;
    const sf_max_window_kernel fast = sf_max_window_x86(), largest = fast != NULL ? fast : sf_max_window_plain;
    int8_t* y = (int8_t*)call->y;
    sf_max_window v = {0};
    v.row = (size_t)op->dilation_h * line;
    v.step = (size_t)op->dilation_w * channels;
    v.lo = (int8_t)sf_clamp(op->lo, -128, 127);
    v.hi = (int8_t)sf_clamp(op->hi, -128, 127);
    for (uint32_t s = 0; s < call->n; s++) {
        const int8_t* x = (const int8_t*)call->x + (size_t)s * (size_t)in->elements;
        for (int32_t oy = 0; oy < out->dims[0]; oy++)
            for (int32_t ox = 0; ox < out->dims[1]; ox++, y += channels) {
                const int32_t y0 = oy * op->stride_h - op->pad_top, x0 = ox * op->stride_w - op->pad_left;
                int32_t ky0, ky1, kx0, kx1;
                sf_taps(y0, op->dilation_h, op->kernel_h, in->dims[0], &ky0, &ky1);
                sf_taps(x0, op->dilation_w, op->kernel_w, in->dims[1], &kx0, &kx1);
                v.taps_y = kx1 > kx0 ? ky1 - ky0 : 0;
                v.taps_x = kx1 - kx0;
                if (v.taps_y > 0)
                    v.x = x + (size_t)(y0 + ky0 * op->dilation_h) * line + (size_t)(x0 + kx0 * op->dilation_w) * channels;
                largest(&v, 0, (uint32_t)channels, y);
            }
    }
}
