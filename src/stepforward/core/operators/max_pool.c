/* Max pool: the largest value of each window; padding never wins. */
#include "base/integers.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "multiply/choose.h"
#include "multiply/max_line.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

/* Output columns from ox on that see the same taps: all inside of the image, or one. */
static uint32_t columns(const sfi_call* call, int32_t ox, int32_t* first, int32_t* last)
{
    const sfi_window* w = sfi_window_of(call->pass->program, call->op);
    const int32_t x0 = ox * w->stride_w - w->pad_left, width = call->in->dims[1];
    sfi_taps(x0, w->dilation_w, w->kernel_w, width, first, last);
    if (*last - *first < w->kernel_w)
        return 1;
    const int32_t more = (width - 1 - (w->kernel_w - 1) * w->dilation_w - x0) / w->stride_w;
    return sfi_min_u32((uint32_t)more + 1, (uint32_t)(call->out->dims[1] - ox));
}

#if __STDC_HOSTED__
/* Whether the last tap and the last position leave 16 bytes of all samples. */
static int is_loose(const sfi_call* call, const sfi_max_line* v)
{
    const size_t x = (size_t)(v->x - (const int8_t*)call->x), y = (size_t)(v->y - (const int8_t*)call->y);
    const size_t last_tap = (size_t)(v->taps_y - 1) * v->row + (size_t)(v->taps_x - 1) * v->step;
    return v->taps_y > 0 &&
           x + last_tap + (size_t)(v->positions - 1) * v->stride + 16 <= call->n * (size_t)call->in->elements &&
           y + (size_t)(v->positions - 1) * v->channels + 16 <= call->n * (size_t)call->out->elements;
}
#endif

static void run_line(const sfi_call* call, sfi_max_line* v)
{
#if __STDC_HOSTED__
    v->loose = is_loose(call, v);
    call->pass->kernels->max_line(v);
#else
    (void)call;
    sfi_max_line_any(v);
#endif
}

static void run(const sfi_call* call)
{
    const sf_op* op = call->op;
    const sfi_window* w = sfi_window_of(call->pass->program, call->op);
    const sf_tensor *in = call->in, *out = call->out;
    const size_t channels = (size_t)in->dims[2], line = (size_t)in->dims[1] * channels;
    sfi_max_line v = {0};
    v.y = (int8_t*)call->y;
    v.channels = (uint32_t)channels;
    v.stride = (size_t)w->stride_w * channels;
    v.row = (size_t)w->dilation_h * line;
    v.step = (size_t)w->dilation_w * channels;
    v.lo = (int8_t)sfi_clamp(op->lo, -128, 127);
    v.hi = (int8_t)sfi_clamp(op->hi, -128, 127);
    for (uint32_t s = 0; s < call->n; s++) {
        const int8_t* x = (const int8_t*)call->x + (size_t)s * (size_t)in->elements;
        for (int32_t oy = 0; oy < out->dims[0]; oy++) {
            const int32_t y0 = oy * w->stride_h - w->pad_top;
            int32_t ky0, ky1, kx0, kx1;
            sfi_taps(y0, w->dilation_h, w->kernel_h, in->dims[0], &ky0, &ky1);
            for (int32_t ox = 0; ox < out->dims[1]; ox += (int32_t)v.positions, v.y += v.positions * channels) {
                v.positions = columns(call, ox, &kx0, &kx1);
                v.taps_x = kx1 - kx0;
                v.taps_y = v.taps_x > 0 ? ky1 - ky0 : 0;
                v.x = x;
                if (v.taps_y > 0)
                    v.x += (size_t)(y0 + ky0 * w->dilation_h) * line +
                           (size_t)(ox * w->stride_w - w->pad_left + kx0 * w->dilation_w) * channels;
                run_line(call, &v);
            }
        }
    }
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = sfi_input(p, op, 0), *out = sfi_output(p, op);
    return sfi_checked(sfi_is_bare(op, 1, SFI_WINDOW_WORDS) && sfi_window_fits(sfi_window_of(p, op), in, out) &&
                           in->dims[2] == out->dims[2],
                       sfi_reads_bytes(p, op) && out->dtype == SF_S8);
}

const sfi_operator sfi_max_pool = {check, NULL, run, NULL, 0};
