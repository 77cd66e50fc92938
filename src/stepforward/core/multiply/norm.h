/* What the kernels for layer norm share. */
#ifndef SFI_NORM_H
#define SFI_NORM_H

#include <stdint.h>

/* The second half of a row: z = (count*x - total) * inverse / 2^shift, clamped to 16 bits, and z*gamma + beta rescaled
 * by the pair of its channel (or by one, where `step` is 0). All but the first product fit into int32, and so does what
 * the pairs make of it: their shifts are at least 17. */
typedef struct sfi_norm {
    int32_t count, total;
    uint32_t inverse, shift;
    const int16_t* gamma;
    const int32_t *beta, *pairs;
    int32_t step, zero_point, lo, hi, dtype;
} sfi_norm;

#endif
