/* Addition of two tensors of the same shape: both rescaled, rounded once. */
#include "../internal.h"

/* |A*mult_a + B*mult_b| <= 2 * 255 * 65535 < 2^25: from shift 26 up the rounded result is 0, as it is with 26. What the zero
 * points contribute and the rounding term are the same for all elements. */
SF_CLONES
static void add(const int8_t* a, const int8_t* b, size_t count, const int32_t* zeros, const int32_t* pairs,
                const sf_call* call)
{
    const int32_t shift = pairs[1] > 26 ? 26 : pairs[1], half = shift > 0 ? 1 << (shift - 1) : 0;
    const int32_t zero = call->out->zero_point, lo = call->op->lo, hi = call->op->hi;
    const int32_t mult_a = pairs[0], mult_b = pairs[2], rest = half - zeros[0] * mult_a - zeros[1] * mult_b;
#define SF_SUM(i) sf_clamp(((a[i] * mult_a + b[i] * mult_b + rest) >> shift) + zero, lo, hi)
    if (call->out->dtype == SF_S16) {
        int16_t* y = (int16_t*)call->y;
        for (size_t i = 0; i < count; i++)
            y[i] = (int16_t)SF_SUM(i);
    } else {
        int8_t* y = (int8_t*)call->y;
        for (size_t i = 0; i < count; i++)
            y[i] = (int8_t)SF_SUM(i);
    }
#undef SF_SUM
}

void sf_add_s8(const sf_call* call)
{
    const int32_t zeros[2] = {call->in->zero_point, call->pass->program->tensors[call->op->inputs[1]].zero_point};
    add((const int8_t*)call->inputs[0], (const int8_t*)call->inputs[1], (size_t)call->n * (size_t)call->in->elements, zeros,
        sf_rescale_pair(call->pass->program, call->op, 0), call);
}
