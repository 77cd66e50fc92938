/* What the kernels for devices share. A device multiplies four weight rows with one patch at a time, so that its
 * scratch stays small; its instruction set is known when it is compiled. The same code in plain C runs on hosts, for
 * tests of the device. */
#ifndef SFI_DEVICE_H
#define SFI_DEVICE_H

#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/rows.h"
#include "stepforward.h"

#if SFI_MVE
#include <arm_mve.h>
#endif

/* acc[r] = sum over k < count of w[r*stride + k] * x[k], four rows. count is even, everything 4-byte aligned. The
 * caller makes sure that the sums fit into int32: at most SFI_BLOCK products, or rows proven narrow. */
void sfi_dot_rows(const int16_t* w, size_t stride, const int16_t* x, size_t count, int32_t acc[SF_DEVICE_ROWS]);

/* Runs of `count` bytes, x_step apart: out[i] = x[i] - zero, the next run at out + out_step. */
typedef struct sfi_widening {
    size_t x_step, out_step;
    uint32_t runs, count;
    int32_t zero;
} sfi_widening;
void sfi_widen_runs(const sfi_widening* how, const int8_t* x, int16_t* out);

/* The same of words of 16 bits, which are as they should be; x_step counts bytes there, too. */
void sfi_copy_runs(const sfi_widening* how, const int8_t* x, int16_t* out);

SFI_INLINE void sfi_take_runs(const sfi_widening* how, int words, const int8_t* x, int16_t* out)
{
    if (words)
        sfi_copy_runs(how, x, out);
    else
        sfi_widen_runs(how, x, out);
}

/* sfi_requantize(), for any accumulator of the contract. Helium's SQRSHRL is its rounding shift, on a pair of
 * registers: |acc*mult| < 2^62, so it never saturates. */
SFI_INLINE int32_t sfi_requantize_wide(int64_t acc, int32_t mult, int32_t shift, int32_t zero_point, int32_t lo,
                                       int32_t hi)
{
#if SFI_MVE
    const int64_t wide = sqrshrl(acc * mult, shift);
    const int32_t low = (int32_t)wide, high = (int32_t)(wide >> 32),
                  v = high == low >> 31 ? low : high >> 31 ^ INT32_MAX;
    return sfi_clamp(v, lo - zero_point, hi - zero_point) + zero_point;
#else
    return sfi_requantize(acc, mult, shift, zero_point, lo, hi);
#endif
}

/* Outputs y[at ..] of `count` rows that are proven narrow, from accumulators without bias. */
void sfi_rows_finish(const sfi_rows* rows, const int32_t* acc, uint32_t count, void* y, size_t at);

/* The same for roundings of other runtimes. */
void sfi_rows_finish_rounded(const sfi_rows* rows, const int32_t* acc, uint32_t count, void* y, size_t at);

/* The same in 64 bits, for any accumulator of the contract. */
void sfi_rows_finish_wide(const sfi_rows* rows, const int64_t* acc, uint32_t count, void* y, size_t at);

/* The taps of one output position of a depthwise convolution that lie inside the image: words and input of the first,
 * and the way to the next. */
typedef struct sfi_device_window {
    const int16_t* w;
    const int8_t* x;
    int32_t taps_y, taps_x;
    size_t w_row, w_step, x_row, x_step;
    int32_t zero;
} sfi_device_window;

/* Sums of `count` channels that are proven narrow. */
void sfi_device_window_sum(const sfi_device_window* window, uint32_t count, int32_t* acc);

/* Columns of four rows that are staged together at least, where rows are longer: 640 bytes with the patch, and a
 * multiple of what the generators of directions draw at once. */
#define SFI_PIECE 64u

/* Four rows of an operator, or some columns of them, and the same columns of one patch. */
typedef struct sfi_device_tile {
    sfi_rows rows;
    const int16_t* words; /* [row][stride]: staged, or the weights where they are stored */
    int16_t* patch;       /* [stride] */
    int16_t* staged;      /* [row][stride] */
    uint32_t length;      /* columns */
    uint32_t stride;      /* the next even number; what lies between is zero */
    uint32_t count;       /* rows in use */
    int words_in;         /* the patch holds inputs of 16 bits */
} sfi_device_tile;

/* Bytes of a tile of `length` columns, and of one that only reads weights in place. */
uint64_t sfi_device_tile_bytes(uint32_t length);
uint64_t sfi_device_patch_bytes(uint32_t length);

/* The tile's staged rows are touched only by what stages. */
void sfi_device_tile_open(sfi_device_tile* tile, void* memory, uint32_t length);

/* Whether all weights of an operator can be read where they lie, four rows of `length` at a time. A last group of fewer
 * rows then begins with rows that were done before, whose outputs are written again. */
int sfi_device_in_place(const sfi_call* call, uint32_t rows, uint32_t length);

/* First row, and in *count the number of rows, of the group that begins `row` rows after `first` of `rows`. */
SFI_INLINE uint32_t sfi_device_group(uint32_t first, uint32_t row, uint32_t rows, int in_place, uint32_t* count)
{
    *count = in_place ? SF_DEVICE_ROWS : sfi_min_u32(SF_DEVICE_ROWS, rows - row);
    return first + (in_place ? sfi_min_u32(row, rows - SF_DEVICE_ROWS) : row);
}

/* Take `count` whole rows from first_row on. uses: how many patches they will be multiplied with. */
void sfi_device_tile_stage(sfi_device_tile* tile, const sfi_call* call, uint32_t first_row, uint32_t count,
                           size_t uses);

/* Outputs of the patch, one per row, to y[at ..]. */
void sfi_device_tile_multiply(const sfi_device_tile* tile, void* y, size_t at);

/* The biases and scales of `count` rows, for sums of 64 bits. */
void sfi_device_rows_open(sfi_rows* rows, const sfi_call* call, uint32_t first_row, uint32_t count);

/* Some columns of rows of `row_length`: `runs` runs of `run` columns, `step` apart. */
typedef struct sfi_columns {
    uint32_t row_length, first, run, runs, step;
} sfi_columns;

/* Stage columns of `count` rows from first_row on; the tile's length becomes their number. */
void sfi_device_tile_stage_columns(sfi_device_tile* tile, const sfi_call* call, uint32_t first_row, uint32_t count,
                                   const sfi_columns* columns);

/* sum[r] += the dot product of row r, stride columns from w on, with x. count is even. */
void sfi_dot_rows_wide(const int16_t* w, size_t stride, const int16_t* x, uint32_t count, int64_t sum[SF_DEVICE_ROWS]);

/* The same with any words for x: two products are enough to leave 32 bits. */
void sfi_dot_rows_words(const int16_t* w, size_t stride, const int16_t* x, uint32_t count, int64_t sum[SF_DEVICE_ROWS]);

/* `count` outputs to y[at ..] in 64 bits: four rows, stride columns apart, times x, both of `length`. Apart from the
 * case of 32 bits, which so saves none of the registers that this one needs. */
void sfi_rows_multiply_wide(const sfi_rows* rows, const int16_t* w, size_t stride, const int16_t* x, uint32_t length,
                            uint32_t count, int words_in, void* y, size_t at);

#endif
