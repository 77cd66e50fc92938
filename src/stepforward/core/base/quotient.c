/* Quotients and roots in integers: bit by bit where a processor has no instruction for 64 bits of them. */
#include "base/quotient.h"
#include "base/machine.h"

#if SFI_X86
#include <emmintrin.h>

/* The root of the nearest double is off by one at most. */
uint32_t sfi_square_root(uint64_t value)
{
    const __m128d half = _mm_set_sd((double)(value >> 1));
    uint64_t root = (uint64_t)_mm_cvttsd_si64(_mm_sqrt_sd(half, _mm_add_sd(half, half)));
    root = root > UINT32_MAX ? UINT32_MAX : root;
    root -= root * root > value;
    return (uint32_t)(root + (root < UINT32_MAX && (root + 1) * (root + 1) <= value));
}
#else
uint32_t sfi_square_root(uint64_t value)
{
    uint64_t rest = value, root = 0;
    for (uint64_t bit = (uint64_t)1 << 62; bit != 0; bit >>= 2) {
        const uint64_t trial = root + bit;
        root >>= 1;
        if (rest >= trial) {
            rest -= trial;
            root += bit;
        }
    }
    return (uint32_t)root;
}
#endif

uint32_t sfi_reciprocal(uint32_t power, uint32_t value)
{
#if __STDC_HOSTED__
    return (uint32_t)(((uint64_t)1 << power) / value);
#else
    uint64_t rest = (uint64_t)1 << (power - 32); /* less than value */
    uint32_t quotient = 0;
    for (uint32_t i = 0; i < 32; i++) {
        rest <<= 1;
        quotient <<= 1;
        if (rest >= value) {
            rest -= value;
            quotient |= 1;
        }
    }
    return quotient;
#endif
}

uint32_t sfi_top_bit(uint64_t value)
{
#if SFI_X86
    return 63u - (uint32_t)__builtin_clzll(value | 1);
#else
    uint32_t bit = 0;
    for (uint32_t step = 32; step != 0; step >>= 1)
        if (value >> (bit + step) != 0)
            bit += step;
    return bit;
#endif
}
