/* Average pool: the exact sum of a window, divided by the number of samples counted through (mult, shift). */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

#define LANES 16

/* Sums `lanes` channels of one window in int32: at most 2^22 samples of at most 255 (checked when the program is
 * opened). Hosts add four samples in 16 bits first. */
SFI_INLINE void sum_lanes(const int8_t* x, int32_t taps_y, int32_t taps_x, size_t row, size_t step,
                          const uint32_t lanes, int32_t* sum)
{
    for (uint32_t i = 0; i < lanes; i++)
        sum[i] = 0;
    for (int32_t ky = 0; ky < taps_y; ky++, x += row) {
        const int8_t* a = x;
        int32_t left = taps_x;
        for (; __STDC_HOSTED__ && left >= 4; left -= 4, a += 4 * step) {
            const int8_t *b = a + step, *c = b + step, *d = c + step;
            for (uint32_t i = 0; i < lanes; i++)
                sum[i] += (int16_t)(a[i] + b[i] + c[i] + d[i]);
        }
        for (; left > 0; left--, a += step)
            for (uint32_t i = 0; i < lanes; i++)
                sum[i] += a[i];
    }
}

/* Of the sum of some samples; `zeros` is that of their zero points. No pair: the mean, rounded half away from zero. */
SFI_INLINE int32_t output(const sfi_call* call, int32_t sum, int32_t samples, int32_t zeros, const int32_t* pair)
{
    const sf_op* op = call->op;
    if (op->rescale_count == 0) {
        const uint32_t twice = 2 * (uint32_t)(sum < 0 ? -sum : sum) + (uint32_t)samples,
                       mean = samples > 0 ? twice / (2 * (uint32_t)samples) : 0;
        return sfi_clamp(sum < 0 ? -(int32_t)mean : (int32_t)mean, op->lo, op->hi);
    }
    if (sfi_is_inside(sfi_rounding(op)))
        return sfi_finished_inside(sum - zeros, pair, sfi_rounding(op), call->out->zero_point, op->lo, op->hi);
    return sfi_finished(sum - zeros, pair[0], pair[1], sfi_rounding(op), call->out->zero_point, op->lo, op->hi);
}

SFI_CLONES
static void window(const sfi_call* call, const int8_t* x, int32_t taps_y, int32_t taps_x, const int32_t* pair,
                   size_t at)
{
    const uint32_t channels = (uint32_t)call->in->dims[2];
    const sfi_window* w = sfi_window_of(call->pass->program, call->op);
    const size_t step = (size_t)w->dilation_w * channels;
    size_t row = (size_t)w->dilation_h * (size_t)call->in->dims[1] * channels;
    const int32_t samples = taps_y * taps_x, zeros = samples * call->in->zero_point;
    if (row == (size_t)taps_x * step) { /* whole rows, one after the other */
        taps_x = samples;
        taps_y = samples > 0;
    }
    int32_t sum[LANES];
    for (uint32_t c = 0; c < channels; c += LANES) {
        const uint32_t lanes = sfi_min_u32(LANES, channels - c);
        if (lanes == LANES)
            sum_lanes(x + c, taps_y, taps_x, row, step, LANES, sum);
        else
            sum_lanes(x + c, taps_y, taps_x, row, step, lanes, sum);
        for (uint32_t i = 0; i < lanes; i++)
            sfi_store(call->y, call->out->dtype, at + c + i, output(call, sum[i], samples, zeros, pair));
    }
}

static void run(const sfi_call* call)
{
    const sf_op* op = call->op;
    const sfi_window* w = sfi_window_of(call->pass->program, call->op);
    const sf_tensor *in = call->in, *out = call->out;
    const size_t channels = (size_t)in->dims[2];
    size_t at = 0;
    for (uint32_t s = 0; s < call->n; s++) {
        const int8_t* x = (const int8_t*)call->x + (size_t)s * (size_t)in->elements;
        for (int32_t oy = 0; oy < out->dims[0]; oy++)
            for (int32_t ox = 0; ox < out->dims[1]; ox++, at += channels) {
                const int32_t y0 = oy * w->stride_h - w->pad_top, x0 = ox * w->stride_w - w->pad_left;
                int32_t ky0, ky1, kx0, kx1;
                sfi_taps(y0, w->dilation_h, w->kernel_h, in->dims[0], &ky0, &ky1);
                sfi_taps(x0, w->dilation_w, w->kernel_w, in->dims[1], &kx0, &kx1);
                const int32_t n = (ky1 - ky0) * (kx1 - kx0);
                const int8_t* from = x;
                if (n > 0)
                    from += ((size_t)(y0 + ky0 * w->dilation_h) * (size_t)in->dims[1] +
                             (size_t)(x0 + kx0 * w->dilation_w)) *
                            channels;
                const uint32_t which = op->rescale_count > 1 ? (uint32_t)n - 1 : 0;
                window(call, from, n > 0 ? ky1 - ky0 : 0, kx1 - kx0, sfi_rescale_pair(call->pass->program, op, which),
                       at);
            }
    }
}

/* Each count has its own pair: then every window must see at least one sample. */
static int fits(const sf_op* op, const sfi_window* w, const sf_tensor* in, const sf_tensor* out)
{
    if (!sfi_window_fits(w, in, out) || in->dims[2] != out->dims[2])
        return 0;
    if (op->rescale_count == 0)
        return sfi_rounding(op) != SFI_CONTRACT && !sfi_is_inside(sfi_rounding(op)) &&
               in->zero_point == out->zero_point && in->dtype == out->dtype;
    if (op->rescale_count == 1)
        return 1;
    return op->rescale_count == w->kernel_h * w->kernel_w && w->dilation_h == 1 && w->dilation_w == 1 &&
           w->pad_top < w->kernel_h && w->pad_bottom < w->kernel_h && w->pad_left < w->kernel_w &&
           w->pad_right < w->kernel_w;
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = sfi_input(p, op, 0), *out = sfi_output(p, op);
    return sfi_checked(sfi_is_bare(op, 1, SFI_WINDOW_WORDS + 1) &&
                           sfi_within(sfi_attribute(p, op, SFI_WINDOW_WORDS), 0, 1) &&
                           fits(op, sfi_window_of(p, op), in, out),
                       sfi_reads_bytes(p, op));
}

const sfi_operator sfi_average_pool = {check, NULL, run, NULL, 1};
