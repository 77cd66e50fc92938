/* 8-bit weights with VPDPBUSD: four products per lane. */
#include "base/machine.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/avx512/dot_avx512.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SF_X86

SF_VNNI void sf_block_bytes_vnni(const sf_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    sf_dot_store_panels(b, patches, panels, 1, acc, acc_stride);
}

SF_VNNI void sf_grid_bytes_vnni(const sf_block* b, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y)
{
    sf_dot_finish_rows(b, grid, rows, count, 1, y);
}

#endif
