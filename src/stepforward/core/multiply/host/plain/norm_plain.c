/* Rows of a layer norm, from their moments to their ends. */
#include "base/integers.h"
#include "base/machine.h"
#include "multiply/host/plain/plain.h"
#include "multiply/norm.h"
#include "stepforward.h"

/* (v * factor + 2^(shift-1)) >> shift in 64-bit lanes that have neither a signed product nor a signed shift: v + 2^31
 * is positive, 2^63 keeps the sum so, and both are taken back. |v * factor| < 2^62.5, the result fits into int32. */
SFI_INLINE int32_t scaled(int32_t v, uint32_t factor, uint32_t shift)
{
    const uint64_t top = (uint64_t)1 << 63, product = (uint64_t)((uint32_t)v + 0x80000000u) * factor;
    const uint64_t offset = ((uint64_t)1 << (shift - 1)) + top - ((uint64_t)factor << 31);
    return (int32_t)((uint32_t)((product + offset) >> shift) - (uint32_t)(top >> shift));
}

SFI_CLONES
void sfi_norm_row(const sfi_norm* norm, int32_t first, int32_t* restrict x, void* y)
{
    const sfi_norm n = *norm;
    const int16_t* restrict gamma = n.gamma;
    const int32_t* restrict beta = n.beta, * restrict pairs = n.pairs;
    const uint32_t factor = (uint32_t)pairs[0], shift = (uint32_t)pairs[1];
    for (int32_t j = first; j < n.count; j++)
        x[j] = sfi_clamp(scaled(n.count * x[j] - n.total, n.inverse, n.shift), -32768, 32767) * gamma[j] + beta[j];
    if (n.step == 0)
        for (int32_t j = first; j < n.count; j++)
            x[j] = scaled(x[j], factor, shift);
    else
        for (int32_t j = first; j < n.count; j++)
            x[j] = scaled(x[j], (uint32_t)pairs[2 * j], (uint32_t)pairs[2 * j + 1]);
    if (n.dtype == SF_S16)
        for (int32_t j = first; j < n.count; j++)
            ((int16_t*)y)[j] = (int16_t)sfi_clamp(x[j] + n.zero_point, n.lo, n.hi);
    else
        for (int32_t j = first; j < n.count; j++)
            ((int8_t*)y)[j] = (int8_t)sfi_clamp(x[j] + n.zero_point, n.lo, n.hi);
}
