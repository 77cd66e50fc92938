/* The kernels in plain C. */
#ifndef SFI_PLAIN_H
#define SFI_PLAIN_H

#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/norm.h"
#include "multiply/rows.h"
#include "multiply/softmax.h"
#include "multiply/sum.h"
#include "stepforward.h"

void sfi_block_dot(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                   size_t acc_stride);
void sfi_block_window(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                      size_t acc_stride);
void sfi_block_bytes(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                     size_t acc_stride);

/* Outputs of the first `count` rows at some positions: position p reads acc[p * capacity ..], without bias, and writes
 * y[at + p*step ..]; of narrow rows, and of any. */
void sfi_rows_narrow(const sfi_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions,
                     void* y, size_t at, size_t step);
void sfi_rows_wide(const sfi_rows* rows, const int64_t* acc, uint32_t capacity, uint32_t count, uint32_t positions,
                   void* y, size_t at, size_t step);

/* sfi_rows_each() for rows of any rounding but the contract's. */
void sfi_rows_rounded(const sfi_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions,
                      void* y, const size_t* at);
void sfi_rows_each(const sfi_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions,
                   void* y, const size_t* at);
void sfi_interleave(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out);
void sfi_sums(const int16_t* words, size_t pairs, int64_t sum[SFI_PANEL], int64_t positive[SFI_PANEL]);
void sfi_twins(const int16_t* w, const int8_t* z, uint32_t count, const sf_scaler* scaler, int32_t q_max, int16_t* up,
               int16_t* down);

/* u[column][row of the kernel] of one row of 9*channels weights, tap by tap, `step` elements from one to the next.
 * Returns the largest sum of magnitudes of a channel's nine; if that is at most 32767, u is right, and so are the sums
 * of all weights and of those that are positive (sfi_reach). */
uint32_t sfi_winograd_row(const int16_t* line, uint32_t channels, size_t step, int16_t* u, int64_t* sum,
                          int64_t* positive);

/* v[column][row][tile][channel] of eight tiles. across, down: elements from one position of the band to the next. */
void sfi_winograd_band(const int16_t* const* patches, size_t across, size_t down, uint32_t channels, int16_t* v);

void sfi_look_up(const int8_t table[256], const int8_t* x, size_t count, int8_t* y);
void sfi_norm_row(const sfi_norm* norm, int32_t first, int32_t* x, void* y);
uint64_t sfi_powers(const sfi_power_table* table, const int8_t* x, uint32_t count, int32_t top, uint32_t* power);
void sfi_quotients(const sfi_divisor* divisor, uint32_t* power, uint32_t count, void* y);

void sfi_sum_s8(const sfi_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y);

#endif
