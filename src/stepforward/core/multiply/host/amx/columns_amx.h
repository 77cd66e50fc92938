/* Kernels three rows high, down a column. */
#ifndef SFI_COLUMNS_AMX_H
#define SFI_COLUMNS_AMX_H

#include "base/machine.h"
#include "multiply/host/amx/variations_amx.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"

#if SFI_X86

/* Whether a panel's rows are of such a kernel. */
int sfi_columns_suit(const sfi_block* block, const sfi_grid* grid);

/* The outputs of one panel. */
extern const sfi_variation sfi_columns_amx[SFI_VARIATION_COUNT];

#endif
#endif
