/* The roundings of other runtimes (contract, section 2): between a sum and an output, in place of the contract's own.
 */
#ifndef SFI_ROUNDING_H
#define SFI_ROUNDING_H

#include "base/integers.h"
#include "base/machine.h"
#include "stepforward.h"

/* As a program's file numbers them, in the low bits of an operator's flags. */
enum { SFI_CONTRACT, SFI_TWICE, SFI_ONCE, SFI_FLOAT };
#define SFI_ROUNDING 15 /* of sf_op.flags */

SFI_INLINE int32_t sfi_rounding(const sf_op* op) { return op->flags & SFI_ROUNDING; }

SFI_INLINE int32_t sfi_saturated(int64_t v)
{
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}

/* shift 1 .. 62, mult < 2^31. The rest after the high word is rounded half away from zero. */
SFI_INLINE int32_t sfi_rounded_twice(int32_t a, int32_t mult, int32_t shift)
{
    const int32_t left = shift < 31 ? 31 - shift : 0, right = shift > 31 ? shift - 31 : 0;
    const int32_t kept = left > 0 ? sfi_saturated((int64_t)a * ((int64_t)1 << left)) : a;
    const int32_t high = (int32_t)(((int64_t)kept * mult + (1 << 30)) >> 31), half = (int32_t)((1u << right) >> 1);
    return right > 0 ? (int32_t)(((int64_t)high + half - (high < 0)) >> right) : high;
}

/* The same, from shift 31 on, in a form for vectors: the low word of a product shifted by 31 is that of the unsigned
 * shift, and what is dropped after it rounds up where it is more than half, or half of a positive value. */
SFI_INLINE int32_t sfi_twice_lane(int32_t a, int32_t mult, int32_t right)
{
    const int32_t high = (int32_t)(uint32_t)((uint64_t)((int64_t)a * mult + (1 << 30)) >> 31),
                  mask = (int32_t)((1u << right) - 1u);
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0));
}

/* The same pairs; may be anything below 2^62. */
SFI_INLINE int64_t sfi_rounded_once(int32_t a, int32_t mult, int32_t shift)
{
    return ((int64_t)a * mult + ((int64_t)1 << (shift - 1))) >> shift;
}

/* value / 2^shift, half to even; shift < 63. */
SFI_INLINE int64_t sfi_even(int64_t value, int32_t shift)
{
    return shift > 0 ? (value + (((int64_t)1 << shift) >> 1) - 1 + ((value >> shift) & 1)) >> shift : value;
}

/* The number of 24 significant bits that is nearest to value, |value| < 2^62. */
SFI_INLINE int64_t sfi_float32(int64_t value)
{
    const uint64_t magnitude = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
    const int32_t dropped = magnitude >> 24 == 0 ? 0 : 40 - __builtin_clzll(magnitude);
    return sfi_even(value, dropped) * ((int64_t)1 << dropped);
}

/* What float32 arithmetic gives for a * (mult / 2^shift), rounded to an integer; 2^23 <= mult < 2^24, or 0. */
SFI_INLINE int64_t sfi_rounded_float(int32_t a, int32_t mult, int32_t shift)
{
    return sfi_even(sfi_float32(sfi_float32(a) * mult), shift > 60 ? 60 : shift);
}

/* Any sum, by any rounding but the contract's. */
SFI_INLINE int64_t sfi_rounded(int64_t acc, const int32_t* pair, int32_t rounding)
{
    const int32_t a = sfi_saturated(acc);
    if (rounding == SFI_TWICE)
        return sfi_rounded_twice(a, pair[0], pair[1]);
    return rounding == SFI_ONCE ? sfi_rounded_once(a, pair[0], pair[1]) : sfi_rounded_float(a, pair[0], pair[1]);
}

SFI_INLINE int32_t sfi_put(int64_t value, int32_t zero_point, int32_t lo, int32_t hi)
{
    const int64_t v = value + zero_point;
    return v < lo ? lo : v > hi ? hi : (int32_t)v;
}

/* Outputs of any sum, by any rounding. */
SFI_INLINE int32_t sfi_finished(int64_t acc, int32_t mult, int32_t shift, int32_t rounding, int32_t zero_point,
                                int32_t lo, int32_t hi)
{
    const int32_t pair[2] = {mult, shift};
    return rounding == SFI_CONTRACT ? sfi_requantize(acc, mult, shift, zero_point, lo, hi)
                                    : sfi_put(sfi_rounded(acc, pair, rounding), zero_point, lo, hi);
}

/* Whether a pair is one of a rounding. */
SFI_INLINE int sfi_pair_fits(const int32_t* pair, int32_t rounding)
{
    if (rounding == SFI_CONTRACT)
        return pair[0] >= 0 && pair[0] < 1 << 16 && pair[1] >= 0 && pair[1] <= 47;
    if (rounding == SFI_FLOAT)
        return (pair[0] == 0 || (pair[0] >= 1 << 23 && pair[0] < 1 << 24)) && pair[1] >= 0 && pair[1] <= 63;
    return pair[0] >= 0 && pair[1] >= 1 && pair[1] <= 62;
}

#endif
