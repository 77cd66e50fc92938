/* Change of format, stand-alone ReLU, ReLU6 or clip. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "operators/rescale.h"
#include "stepforward.h"

/* |X*mult| <= 255 * 65535 < 2^24: from shift 25 up the rounded result is 0, as it is with 25. */
SFI_CLONES
void sfi_rescale_elements(const int8_t* x, size_t count, int32_t zero_x, const int32_t* pair, const sfi_call* call,
                          size_t at)
{
    const int32_t mult = pair[0], shift = pair[1] > 25 ? 25 : pair[1], half = shift > 0 ? 1 << (shift - 1) : 0;
    const int32_t rest = half - zero_x * mult;
    const int32_t zero = call->out->zero_point, lo = call->op->lo, hi = call->op->hi;
#define SFI_VALUE(i) sfi_clamp(((x[i] * mult + rest) >> shift) + zero, lo, hi)
    if (call->out->dtype == SF_S16) {
        int16_t* y = (int16_t*)call->y + at;
        for (size_t i = 0; i < count; i++)
            y[i] = (int16_t)SFI_VALUE(i);
    } else {
        int8_t* y = (int8_t*)call->y + at;
        for (size_t i = 0; i < count; i++)
            y[i] = (int8_t)SFI_VALUE(i);
    }
#undef SFI_VALUE
}

/* By another rounding. */
static void rescale_rounded(const sfi_call* call, const int8_t* x, size_t count)
{
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, 0);
    for (size_t i = 0; i < count; i++)
        sfi_store(call->y, call->out->dtype, i,
                  sfi_put(sfi_rounded(x[i] - call->in->zero_point, pair, sfi_rounding(call->op)), call->out->zero_point,
                          call->op->lo, call->op->hi));
}

static void run(const sfi_call* call)
{
    if (sfi_rounding(call->op) != SFI_CONTRACT) {
        rescale_rounded(call, (const int8_t*)call->x, (size_t)call->n * (size_t)call->in->elements);
        return;
    }
    sfi_rescale_elements((const int8_t*)call->x, (size_t)call->n * (size_t)call->in->elements, call->in->zero_point,
                         sfi_rescale_pair(call->pass->program, call->op, 0), call, 0);
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = sfi_input(p, op, 0), *out = sfi_output(p, op);
    return sfi_checked(sfi_is_bare(op, 1, 0) && sfi_same_shape(in, out) && op->rescale_count == 1,
                       sfi_reads_bytes(p, op));
}

const sfi_operator sfi_rescale = {check, NULL, run, NULL, 1};
