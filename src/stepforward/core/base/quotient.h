/* Square roots, and the reciprocals that softmax and layer norm take once for each row (contract, section 4). */
#ifndef SFI_QUOTIENT_H
#define SFI_QUOTIENT_H

#include <stdint.h>

/* floor(sqrt(value)). */
uint32_t sfi_square_root(uint64_t value);

/* floor(2^power / value), 2^(power-32) < value < 2^32, power <= 62. */
uint32_t sfi_reciprocal(uint32_t power, uint32_t value);

/* The number of the highest bit that is set; value > 0. */
uint32_t sfi_top_bit(uint64_t value);

#endif
