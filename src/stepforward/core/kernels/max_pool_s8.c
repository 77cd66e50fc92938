/* Max pool: the largest value of each window; padding never wins. */
#include "../internal.h"

SF_CLONES
static void larger(const int8_t* x, size_t channels, int8_t* y)
{
    for (size_t c = 0; c < channels; c++)
        y[c] = x[c] > y[c] ? x[c] : y[c];
}

SF_CLONES
static void clamp(int8_t* y, size_t channels, int32_t lo, int32_t hi)
{
    for (size_t c = 0; c < channels; c++)
        y[c] = (int8_t)sf_clamp(y[c], lo, hi);
}

void sf_max_pool_s8(const sf_call* call)
{
    const sf_op* op = call->op;
    const sf_tensor *in = call->in, *out = call->out;
    const size_t channels = (size_t)in->dims[2], line = (size_t)in->dims[1] * channels;
    int8_t* y = (int8_t*)call->y;
    for (uint32_t s = 0; s < call->n; s++) {
        const int8_t* x = (const int8_t*)call->x + (size_t)s * (size_t)in->elements;
        for (int32_t oy = 0; oy < out->dims[0]; oy++)
            for (int32_t ox = 0; ox < out->dims[1]; ox++, y += channels) {
                const int32_t y0 = oy * op->stride_h - op->pad_top, x0 = ox * op->stride_w - op->pad_left;
                int32_t ky0, ky1, kx0, kx1;
                sf_taps(y0, op->dilation_h, op->kernel_h, in->dims[0], &ky0, &ky1);
                sf_taps(x0, op->dilation_w, op->kernel_w, in->dims[1], &kx0, &kx1);
                sf_fill(y, 0x80, channels); /* -128 */
                for (int32_t ky = ky0; ky < ky1; ky++)
                    for (int32_t kx = kx0; kx < kx1; kx++)
                        larger(x + (size_t)(y0 + ky * op->dilation_h) * line + (size_t)(x0 + kx * op->dilation_w) * channels,
                               channels, y);
                clamp(y, channels, op->lo, op->hi);
            }
    }
}
