/* The kernels for AVX2. */
#ifndef SFI_AVX2_H
#define SFI_AVX2_H

#include "base/machine.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/host/winograd.h"
#include "multiply/max_line.h"
#include "multiply/open_tile.h"
#include "multiply/rows.h"
#include "multiply/sum.h"

#if SFI_X86
void sfi_interleave_avx2(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out);
void sfi_block_dot_avx2(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                        size_t acc_stride);
void sfi_block_window_avx2(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                           size_t acc_stride);
void sfi_grid_dot_avx2(const sfi_block* block, const sfi_grid* grid, const sfi_rows* rows, uint32_t count, int8_t* y);
void sfi_grid_window_avx2(const sfi_block* block, const sfi_grid* grid, const sfi_rows* rows, uint32_t count,
                          int8_t* y);
uint32_t sfi_winograd_row_avx2(const int16_t* line, uint32_t channels, size_t step, int16_t* u, int64_t* sum,
                               int64_t* positive);
void sfi_winograd_band_avx2(const int16_t* const* patches, size_t across, size_t down, uint32_t channels, int16_t* v);
void sfi_winograd_avx2(const int16_t* words, const int16_t* v, uint32_t channels, const sfi_rows* rows, uint32_t count,
                       const sfi_tiles* tiles, int8_t* y);
uint32_t sfi_large_row_avx2(const int16_t* line, uint32_t channels, size_t step, int16_t* u, int64_t* sum,
                            int64_t* positive);
void sfi_large_band_avx2(const sfi_tiles* tiles, size_t across, size_t down, uint32_t channels, int16_t* v);
void sfi_large_avx2(const int16_t* words, const int16_t* v, uint32_t channels, const sfi_rows* rows, uint32_t count,
                    const sfi_tiles* tiles, int8_t* y);
void sfi_large_sums_avx2(const int16_t* words, const int16_t* v, uint32_t channels, const sfi_tiles* tiles,
                         int32_t* sums);
void sfi_sum_avx2(const sfi_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y);
void sfi_max_line_avx2(const sfi_max_line* line);
void sfi_open_tile_avx2(const sfi_open_tile* tile, int32_t* products);
#endif

#endif
