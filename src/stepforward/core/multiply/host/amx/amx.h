/* The kernels for AMX. */
#ifndef SFI_AMX_H
#define SFI_AMX_H

#include "base/machine.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SFI_X86
/* What the others expect: shapes for segments of so many pairs. */
void sfi_shapes_load_amx(uint32_t pairs);
void sfi_shapes_release_amx(void);

void sfi_grid_bytes_amx(const sfi_block* block, const sfi_grid* grid, const sfi_rows* rows, uint32_t count, int8_t* y);
void sfi_grid_split_amx(const sfi_block* block, size_t plane, const sfi_grid* grid, const sfi_rows* rows,
                        uint32_t count, int8_t* y);
void sfi_block_split_amx(const sfi_block* block, size_t plane, const int16_t* const* patches, uint32_t panels,
                         int32_t* acc[2], size_t acc_stride);
#endif

#endif
