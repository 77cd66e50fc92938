/* Kernels for bytes in variations by what makes outputs of sums, each a function of its own. */
#ifndef SFI_VARIATIONS_AMX_H
#define SFI_VARIATIONS_AMX_H

#include "base/machine.h"
#include "base/rounding.h"
#include "multiply/host/amx/places_amx.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"

#if SFI_X86

typedef void (*sfi_variation)(const sfi_block* block, const sfi_grid* grid, const sfi_lanes* lanes, int8_t* y);

#define SFI_VARIATION_COUNT 4

/* RUN(block, grid, lanes, rounding, y) with a rounding that the compiler knows. */
#define SFI_VARIATION(name, RUN, rounding) \
    static SFI_VNNI __attribute__((noinline)) void name(const sfi_block* b, const sfi_grid* grid, \
                                                        const sfi_lanes* lanes, int8_t* y) \
    { \
        RUN(b, grid, lanes, rounding, y); \
    }
#define SFI_VARIATIONS(name, RUN) \
    SFI_VARIATION(name##_any, RUN, SFI_ANY_ROUNDING) \
    SFI_VARIATION(name##_contract, RUN, SFI_CONTRACT) \
    SFI_VARIATION(name##_twice, RUN, SFI_TWICE) \
    SFI_VARIATION(name##_float, RUN, SFI_FLOAT)
#define SFI_VARIATION_TABLE(name) {name##_any, name##_contract, name##_twice, name##_float}

/* Which of a table. any: for panels that are not full or clamp. */
SFI_INLINE uint32_t sfi_variation_of(int any, int32_t rounding)
{
    return any ? 0 : rounding == SFI_CONTRACT ? 1 : rounding == SFI_TWICE ? 2 : 3;
}

#endif
#endif
