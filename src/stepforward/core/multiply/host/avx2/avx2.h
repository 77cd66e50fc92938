/* The kernels for AVX2. */
#ifndef SF_AVX2_H
#define SF_AVX2_H

#include "base/machine.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/host/winograd.h"
#include "multiply/max_line.h"
#include "multiply/rows.h"

#if SF_X86
void sf_interleave_avx2(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out);
void sf_block_dot_avx2(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_block_window_avx2(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_grid_dot_avx2(const sf_block* block, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y);
void sf_grid_window_avx2(const sf_block* block, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y);
uint32_t sf_winograd_row_avx2(const int16_t* line, uint32_t channels, size_t step, int16_t* u, int64_t* sum, int64_t* positive);
void sf_winograd_picture_avx2(const int16_t* const* patches, size_t across, size_t down, uint32_t channels, int16_t* v);
void sf_winograd_avx2(const int16_t* words, const int16_t* v, uint32_t channels, const sf_rows* rows, uint32_t count,
                      const sf_tiles* tiles, int8_t* y);
void sf_max_line_avx2(const sf_max_line* line);
#endif

#endif
