/* The kernels for AVX-512. */
#ifndef SFI_AVX512_H
#define SFI_AVX512_H

#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/host/winograd.h"
#include "multiply/norm.h"
#include "multiply/rows.h"
#include "multiply/softmax.h"
#include "multiply/sum.h"
#include "stepforward.h"

#if SFI_X86
void sfi_sum_vnni(const sfi_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y);
void sfi_interleave_avx512(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out);
void sfi_block_dot_vnni(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                        size_t acc_stride);
void sfi_block_window_vnni(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                           size_t acc_stride);
void sfi_block_bytes_vnni(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                          size_t acc_stride);
void sfi_grid_bytes_vnni(const sfi_block* block, const sfi_grid* grid, const sfi_rows* rows, uint32_t count, int8_t* y);
void sfi_grid_dot_vnni(const sfi_block* block, const sfi_grid* grid, const sfi_rows* rows, uint32_t count, int8_t* y);
void sfi_grid_few_vnni(const sfi_block* block, const sfi_grid* grid, const sfi_rows* rows, uint32_t count, int8_t* y);
void sfi_grid_window_vnni(const sfi_block* block, const sfi_grid* grid, const sfi_rows* rows, uint32_t count,
                          int8_t* y);
void sfi_rows_avx512(const sfi_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions,
                     void* y, const size_t* at);
void sfi_sums_vnni(const int16_t* words, size_t pairs, int64_t sum[SFI_PANEL], int64_t positive[SFI_PANEL]);
void sfi_moves_avx512(int16_t* w, const int8_t* z, uint32_t count, const int16_t move[256]);
void sfi_twins_avx512(const int16_t* w, const int8_t* z, uint32_t count, const sf_scaler* scaler, int32_t q_max,
                      int16_t* up, int16_t* down);
void sfi_winograd_band_avx512(const int16_t* const* patches, size_t across, size_t down, uint32_t channels, int16_t* v);
void sfi_winograd_vnni(const int16_t* words, const int16_t* v, uint32_t channels, const sfi_rows* rows, uint32_t count,
                       const sfi_tiles* tiles, int8_t* y);
void sfi_look_up_vbmi(const int8_t table[256], const int8_t* x, size_t count, int8_t* y);
void sfi_norm_row_avx512(const sfi_norm* norm, int32_t first, int32_t* x, void* y);
uint64_t sfi_powers_vbmi(const sfi_power_table* table, const int8_t* x, uint32_t count, int32_t top, uint32_t* power);
void sfi_quotients_avx512(const sfi_divisor* divisor, uint32_t* power, uint32_t count, void* y);
#endif

#endif
