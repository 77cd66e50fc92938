/* What the kernels for addition share. */
#ifndef SFI_SUM_H
#define SFI_SUM_H

#include "base/integers.h"
#include "base/machine.h"

/* clamp((a*mult_a + b*mult_b + rest) >> shift), multipliers below 2^16, all within int32. */
typedef struct sfi_sum {
    int32_t mult_a, mult_b, rest, shift, lo, hi;
} sfi_sum;

/* zero: what is added to it before the clamp. */
SFI_INLINE int32_t sfi_sum_of(const sfi_sum* s, int32_t a, int32_t b, int32_t zero)
{
    return sfi_clamp(((a * s->mult_a + b * s->mult_b + s->rest) >> s->shift) + zero, s->lo, s->hi);
}

#endif
