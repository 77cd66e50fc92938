/* Dividing many numbers by one (contract, section 10). */
#ifndef SFI_DIVISOR_H
#define SFI_DIVISOR_H

#include "base/machine.h"

/* A divisor as a reciprocal of 16 bits: v * 2^15 / d is (v * times + half) >> shift. */
typedef struct sfi_divisor {
    int64_t times;
    uint32_t shift;
} sfi_divisor;

SFI_INLINE sfi_divisor sfi_divisor_of(uint64_t d)
{
    uint32_t k = 0;
    while (k < 63 && d >> k != 0)
        k++;
    const uint64_t normal = k <= 32 ? d << (32 - k) : d >> (k - 32);
    const sfi_divisor by = {(int64_t)(((uint64_t)1 << 47) / normal), k};
    return by;
}

SFI_INLINE int64_t sfi_quotient(int64_t value, sfi_divisor by)
{
    return (value * by.times + ((int64_t)1 << (by.shift - 1))) >> by.shift;
}

#endif
