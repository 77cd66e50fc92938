/* Sums of 32 bits that all threads of a host add to. */
#ifndef SFI_SUMS_H
#define SFI_SUMS_H

#include "base/machine.h"

/* sums += error * (x - zero): |error * X| <= 2^14 * 255, and no more rows are admitted than fit 32 bits. */
void sfi_add_products(int32_t* sums, const int8_t* x, int32_t zero, int32_t error, uint32_t count);

/* sums += part. shared: other threads add to the sums at the same time. */
void sfi_add_all(int32_t* sums, const int32_t* part, uint32_t count, int shared);

SFI_INLINE void sfi_add_to(int32_t* sum, int32_t value)
{
#if __STDC_HOSTED__
    __atomic_fetch_add(sum, value, __ATOMIC_RELAXED);
#else
    *sum += value;
#endif
}

#endif
