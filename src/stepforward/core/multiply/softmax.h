/* What the kernels for softmax share. */
#ifndef SFI_SOFTMAX_H
#define SFI_SOFTMAX_H

#include <stdint.h>

#define SFI_DISTANCES 256u /* of s8 from the largest of them */

/* Powers of every distance, and the bytes of each, the lowest first. */
typedef struct sfi_power_table {
    uint32_t power[SFI_DISTANCES];
    uint8_t byte[sizeof(uint32_t)][SFI_DISTANCES];
} sfi_power_table;

/* What a row divides by, and what becomes of the quotients: (power * inverse + half) >> shift, clamped with the zero
 * point. power < 2^31, power * inverse <= 2^61, and half <= 2^62; with a shift of 63 all are 0. */
typedef struct sfi_divisor {
    uint64_t half;
    uint32_t inverse, shift;
    int32_t zero_point, lo, hi, dtype;
} sfi_divisor;

#endif
