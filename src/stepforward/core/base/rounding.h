/* The roundings of other runtimes (contract, section 2): between a sum and an output, in place of the contract's own.
 */
#ifndef SFI_ROUNDING_H
#define SFI_ROUNDING_H

#include "base/integers.h"
#include "base/machine.h"
#include "stepforward.h"

/* As a program's file numbers them, in the low bits of an operator's flags. */
enum { SFI_CONTRACT, SFI_TWICE, SFI_ONCE, SFI_FLOAT, SFI_INSIDE, SFI_INSIDE_BYTES };
#define SFI_ROUNDING 15 /* of sf_op.flags */

SFI_INLINE int32_t sfi_rounding(const sf_op* op) { return op->flags & SFI_ROUNDING; }

/* Whether zero points are inside of float32 arithmetic: of two joined tensors. */
SFI_INLINE int sfi_is_inside(int32_t rounding) { return rounding == SFI_INSIDE || rounding == SFI_INSIDE_BYTES; }

/* What is added to every int8 then. */
SFI_INLINE int32_t sfi_base(int32_t rounding) { return rounding == SFI_INSIDE_BYTES ? 128 : 0; }

/* Twice, from shift 31 on, in a form for vectors: the low word of a product shifted by 31 is that of the unsigned
 * shift, and what is dropped after it rounds up where it is more than half, or half of a positive value. */
SFI_INLINE int32_t sfi_twice_lane(int32_t a, int32_t mult, int32_t right)
{
    const int32_t high = (int32_t)(uint32_t)((uint64_t)((int64_t)a * mult + (1 << 30)) >> 31),
                  mask = (int32_t)((1u << right) - 1u);
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0));
}

/* value / 2^shift, half to even; shift < 63. */
int64_t sfi_even(int64_t value, int32_t shift);

/* The number of 24 significant bits that is nearest to value, |value| < 2^62. */
int64_t sfi_to_float32(int64_t value);

/* Any sum, by any rounding but the contract's and those inside. */
int64_t sfi_rounded(int64_t acc, const int32_t* pair, int32_t rounding);

SFI_INLINE int32_t sfi_put(int64_t value, int32_t zero_point, int32_t lo, int32_t hi)
{
    const int64_t v = value + zero_point;
    return v < lo ? lo : v > hi ? hi : (int32_t)v;
}

/* Outputs of a product or a sum below 2^31, with the zero point inside, which is below 2^16 * 2^44. */
SFI_INLINE int32_t sfi_finished_inside(int64_t acc, const int32_t* pair, int32_t rounding, int32_t zero_point,
                                       int32_t lo, int32_t hi)
{
    const int32_t base = sfi_base(rounding);
    const int64_t zero = (int64_t)(zero_point + base) * ((int64_t)1 << pair[1]);
    const int64_t sum = sfi_to_float32(sfi_to_float32(sfi_to_float32(acc) * pair[0]) + zero);
    return sfi_put(sfi_even(sum, pair[1]), -base, lo, hi);
}

/* Outputs of any sum, by any rounding but the contract's. */
SFI_INLINE int32_t sfi_finished_otherwise(int64_t acc, int32_t mult, int32_t shift, int32_t rounding,
                                          int32_t zero_point, int32_t lo, int32_t hi)
{
    const int32_t pair[2] = {mult, shift};
    return sfi_put(sfi_rounded(acc, pair, rounding), zero_point, lo, hi);
}

/* By any rounding. */
SFI_INLINE int32_t sfi_finished(int64_t acc, int32_t mult, int32_t shift, int32_t rounding, int32_t zero_point,
                                int32_t lo, int32_t hi)
{
    return rounding == SFI_CONTRACT ? sfi_requantize(acc, mult, shift, zero_point, lo, hi)
                                    : sfi_finished_otherwise(acc, mult, shift, rounding, zero_point, lo, hi);
}

/* Whether a pair is one of a rounding. */
SFI_INLINE int sfi_pair_fits(const int32_t* pair, int32_t rounding)
{
    if (rounding == SFI_CONTRACT)
        return pair[0] >= 0 && pair[0] < 1 << 16 && pair[1] >= 0 && pair[1] <= 47;
    if (sfi_is_inside(rounding))
        return pair[0] >= 1 << 23 && pair[0] < 1 << 24 && pair[1] >= 10 && pair[1] <= 44;
    if (rounding == SFI_FLOAT)
        return (pair[0] == 0 || (pair[0] >= 1 << 23 && pair[0] < 1 << 24)) && pair[1] >= 0 && pair[1] <= 63;
    return pair[0] >= 0 && pair[1] >= 1 && pair[1] <= 62;
}

#endif
