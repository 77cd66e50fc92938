/* Errors of logits: the softmax less one at the label (contract, section 10). */
#ifndef SFI_ERRORS_H
#define SFI_ERRORS_H

#include "base/integers.h"
#include "base/tensors.h"
#include "losses/cross_entropy.h"
#include "stepforward.h"

/* e(t) of one logit, and over the classes of a sample: the largest logit, and the sum of e. */
typedef struct sfi_shares {
    const void* data;
    size_t first;
    int32_t type, top;
    int64_t sum;
} sfi_shares;

/* e(t) of a logit so far below the largest. */
SFI_INLINE int64_t sfi_power_below(const sf_plan* plan, int64_t less)
{
    const int64_t half = plan->loss_shift > 0 ? (int64_t)1 << (plan->loss_shift - 1) : 0;
    return sfi_exp2_negative((less * (int64_t)plan->loss_mult + half) >> plan->loss_shift);
}

/* What part of a sum e(t) is, with so many bits of fraction. e <= 2^30 and 14 bits more stay far below 2^64. */
SFI_INLINE int32_t sfi_share(int64_t power, int64_t sum, uint32_t bits)
{
    return (int32_t)((((uint64_t)power << bits) + ((uint64_t)sum >> 1)) / (uint64_t)sum);
}

SFI_INLINE int64_t sfi_power(const sf_plan* plan, const sfi_shares* s, uint32_t c)
{
    return sfi_power_below(plan, (int64_t)s->top - sfi_load(s->data, s->type, s->first + c));
}

SFI_INLINE sfi_shares sfi_shares_of(const sf_plan* plan, const sf_tensor* out, const void* data, uint32_t row)
{
    const uint32_t classes = (uint32_t)out->elements;
    sfi_shares s = {data, (size_t)row * classes, out->dtype, INT32_MIN, 0};
    for (uint32_t c = 0; c < classes; c++) {
        const int32_t a = sfi_load(data, s.type, s.first + c);
        s.top = a > s.top ? a : s.top;
    }
    for (uint32_t c = 0; c < classes; c++)
        s.sum += sfi_power(plan, &s, c);
    return s;
}

/* Softmax less one at the label, with tail_bits of fraction. */
SFI_INLINE int32_t sfi_error_of(const sf_plan* plan, const sfi_shares* s, uint32_t c, int32_t label)
{
    return sfi_share(sfi_power(plan, s, c), s->sum, plan->tail_bits) -
           ((int32_t)c == label ? (int32_t)1 << plan->tail_bits : 0);
}

#endif
