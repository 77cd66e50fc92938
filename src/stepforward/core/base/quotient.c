/* Quotients and roots in integers: bit by bit where a processor has no instruction for 64 bits of them. */
#include "base/quotient.h"
#include "base/machine.h"

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
    uint32_t bit = 0;
    for (uint32_t step = 32; step != 0; step >>= 1)
        if (value >> (bit + step) != 0)
            bit += step;
    return bit;
}
