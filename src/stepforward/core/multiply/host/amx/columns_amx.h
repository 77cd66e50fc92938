/* Kernels three rows high, down a column. */
#ifndef SFI_COLUMNS_AMX_H
#define SFI_COLUMNS_AMX_H

#include "base/machine.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"

#if SFI_X86

/* In place of a rounding (base/rounding.h): any, and panels that are not full or clamp. */
#define SFI_ANY_ROUNDING (-1)

/* Whether a panel's rows are of such a kernel. */
int sfi_columns_suit(const sfi_block* block, const sfi_grid* grid);

/* The outputs of one panel; lanes: its own. */
void sfi_columns_bytes_amx(const sfi_block* block, const sfi_grid* grid, const sfi_lanes* lanes, int rounding,
                           int8_t* y);

#endif
#endif
