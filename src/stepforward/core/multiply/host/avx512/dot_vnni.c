/* 16-bit weights with VPDPWSSD: two products per lane. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/avx512/dot_avx512.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SFI_X86

SFI_VNNI void sfi_block_dot_vnni(const sfi_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                                 size_t acc_stride)
{
    sfi_dot_store_panels(b, patches, panels, 0, acc, acc_stride);
}

SFI_VNNI void sfi_grid_dot_vnni(const sfi_block* b, const sfi_grid* grid, const sfi_rows* rows, uint32_t count,
                                int8_t* y)
{
    sfi_dot_finish_rows(b, grid, rows, count, 0, y);
}

#endif
