/* Integers: minima, clamps, rounding, widening. */
#ifndef SFI_INTEGERS_H
#define SFI_INTEGERS_H

#include "base/machine.h"

#define SFI_BLOCK 256u /* products that fit into int32: 256 * 32768 * 255 < 2^31 */

SFI_INLINE uint32_t sfi_min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
SFI_INLINE uint32_t sfi_max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }
/* A maximum and a minimum where there are vectors; a Cortex-M without them takes one instruction less the other way. */
SFI_INLINE int32_t sfi_clamp(int32_t v, int32_t lo, int32_t hi)
{
#if __STDC_HOSTED__ || SFI_MVE
    v = v < lo ? lo : v;
    return v > hi ? hi : v;
#else
    return v < lo ? lo : v > hi ? hi : v;
#endif
}

/* requantize() of the contract, section 2. |acc| < 2^46, mult < 2^16, shift <= 47. */
SFI_INLINE int32_t sfi_requantize(int64_t acc, int32_t mult, int32_t shift, int32_t zero_point, int32_t lo, int32_t hi)
{
    int64_t half = shift > 0 ? (int64_t)1 << (shift - 1) : 0;
    int64_t v = ((acc * mult + half) >> shift) + zero_point;
    return v < lo ? lo : v > hi ? hi : (int32_t)v;
}

/* x - zero as s16, computed in 16 bits. Blocks of a constant size, so that short runs are vectors as well. */
SFI_INLINE void sfi_widen(const int8_t* restrict x, int32_t count, int32_t zero, int16_t* restrict out)
{
    const uint16_t less = (uint16_t)zero;
    int32_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (int32_t j = i; j < i + 16; j++)
            out[j] = (int16_t)(uint16_t)((uint16_t)x[j] - less);
    for (; i < count; i++)
        out[i] = (int16_t)(uint16_t)((uint16_t)x[i] - less);
}

#endif
