/* Product of two tensors. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/join.h"
#include "operators/operator.h"
#include "stepforward.h"

/* |A*B*mult| <= 255 * 255 * 65535 < 2^32, so the sum with the rounding term takes 64 bits; from shift 33 up the rounded
 * result is 0, as it is with 33. */
enum { LARGEST_SHIFT = 33 };

#if __STDC_HOSTED__
static int64_t reach(int32_t zero) { return zero < 0 ? INT8_MAX - zero : zero - INT8_MIN; }

/* Where rescaled products stay inside int32, as those of inputs whose zeros are in the middle do. */
SFI_CLONES
static void multiply_narrow(const sfi_call* call, const int8_t* restrict a, const int8_t* restrict b, size_t count)
{
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, 0);
    const int32_t mult = pair[0], shift = pair[1], half = 1 << shift >> 1;
    const int32_t zero_a = call->in->zero_point, zero_b = sfi_input(call->pass->program, call->op, 1)->zero_point;
    const int32_t zero = call->out->zero_point, lo = call->op->lo, hi = call->op->hi;
    int8_t* restrict y = (int8_t*)call->y;
    for (size_t i = 0; i < count; i++) {
        const int32_t v = (((a[i] - zero_a) * (b[i] - zero_b) * mult + half) >> shift) + zero;
        y[i] = (int8_t)(v < lo ? lo : v > hi ? hi : v);
    }
}

/* Products that are not rescaled at all, and fit 16 bits: of a mask, whose ones keep what they meet. */
SFI_CLONES
static void multiply_whole(const sfi_call* call, const int8_t* restrict a, const int8_t* restrict b, size_t count)
{
    const int32_t zero_a = call->in->zero_point, zero_b = sfi_input(call->pass->program, call->op, 1)->zero_point;
    const int16_t lo = (int16_t)call->op->lo, hi = (int16_t)call->op->hi;
    int8_t* restrict y = (int8_t*)call->y;
    for (size_t i = 0; i < count; i++) {
        const int16_t v = (int16_t)((int16_t)(a[i] - zero_a) * (int16_t)(b[i] - zero_b));
        y[i] = (int8_t)(v < lo ? lo : v > hi ? hi : v);
    }
}
#endif

SFI_CLONES
static void multiply_wide(const sfi_call* call, const int8_t* a, const int8_t* b, size_t count)
{
    const sf_program* p = call->pass->program;
    const int32_t* pair = sfi_rescale_pair(p, call->op, 0);
    const int32_t mult = pair[0], shift = pair[1] > LARGEST_SHIFT ? LARGEST_SHIFT : pair[1];
    const int32_t zero_a = call->in->zero_point, zero_b = sfi_input(p, call->op, 1)->zero_point;
    const int32_t zero = call->out->zero_point, dtype = call->out->dtype, lo = call->op->lo, hi = call->op->hi;
    void* y = call->y;
    for (size_t i = 0; i < count; i++)
        sfi_store(y, dtype, i, sfi_requantize((a[i] - zero_a) * (b[i] - zero_b), mult, shift, zero, lo, hi));
}

static void multiply(const sfi_call* call, const int8_t* a, const int8_t* b, size_t count)
{
#if __STDC_HOSTED__
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, 0);
    const int64_t most = reach(call->in->zero_point) * reach(sfi_input(call->pass->program, call->op, 1)->zero_point);
    if (call->out->dtype == SF_S8 && pair[1] < 31 && most * pair[0] + (1 << pair[1] >> 1) + 128 <= INT32_MAX) {
        const int whole = pair[0] == 1 << pair[1] && most <= INT16_MAX && call->out->zero_point == 0;
        (whole ? multiply_whole : multiply_narrow)(call, a, b, count);
        return;
    }
#endif
    multiply_wide(call, a, b, count);
}

/* By another rounding. */
static void multiply_rounded(const sfi_call* call, const int8_t* a, const int8_t* b, size_t count)
{
    const sf_program* p = call->pass->program;
    const int32_t* pair = sfi_rescale_pair(p, call->op, 0);
    const int32_t zero_a = call->in->zero_point, zero_b = sfi_input(p, call->op, 1)->zero_point;
    const int32_t rounding = sfi_rounding(call->op), zero = call->out->zero_point;
    if (sfi_is_inside(rounding)) {
        for (size_t i = 0; i < count; i++)
            sfi_store(call->y, call->out->dtype, i,
                      sfi_finished_inside((a[i] - zero_a) * (b[i] - zero_b), pair, rounding, zero, call->op->lo,
                                          call->op->hi));
        return;
    }
    for (size_t i = 0; i < count; i++)
        sfi_store(
            call->y, call->out->dtype, i,
            sfi_put(sfi_rounded((a[i] - zero_a) * (b[i] - zero_b), pair, rounding), zero, call->op->lo, call->op->hi));
}

static void run(const sfi_call* call)
{
    sfi_join(call, sfi_rounding(call->op) == SFI_CONTRACT ? multiply : multiply_rounded);
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    return sfi_checked(sfi_is_bare(op, 2, 0) && sfi_joins(p, op) && op->rescale_count == 1, sfi_reads_bytes(p, op));
}

const sfi_operator sfi_multiply = {check, NULL, run, NULL, 1};
