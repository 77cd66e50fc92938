/* The kernels of a host. */
#ifndef SF_KERNELS_H
#define SF_KERNELS_H

#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/max_line.h"
#include "multiply/rows.h"
#include "multiply/sum.h"
#include "random/draw.h"
#include "stepforward.h"

/* A block kernel and the end of its rows together: the first `count` of `rows`, which are fused (sf_rows_prepare), at every position
 * of a grid. dot takes at most SF_BLOCK_PANELS panels, window any number. */
typedef void (*sf_grid_kernel)(const sf_block* block, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y);

/* Outputs of `count` narrow rows at `positions` positions: position p reads acc[p * capacity ..] and writes y[at[p] ..]. */
typedef void (*sf_rows_kernel)(const sf_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions,
                               void* y, const size_t* at);

/* out[2*i] = a[i] - zero, out[2*i + 1] = b[i] - zero */
typedef void (*sf_interleave_kernel)(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out);

/* Outputs of a transformed panel (winograd.h): the first `count` of `rows`, which are fused with fours, at eight tiles. */
typedef struct sf_tiles sf_tiles;
typedef void (*sf_winograd_kernel)(const int16_t* words, const int16_t* v, uint32_t channels, const sf_rows* rows, uint32_t count,
                                   const sf_tiles* tiles, int8_t* y);

/* A transformed row of weights, and the transformed inputs of eight tiles (winograd.h). */
typedef uint32_t (*sf_row_kernel)(const int16_t* line, uint32_t channels, size_t step, int16_t* u, int64_t* sum, int64_t* positive);
typedef void (*sf_picture_kernel)(const int16_t* const* patches, size_t across, size_t down, uint32_t channels, int16_t* v);

/* Of each row of a packed panel of `pairs` pairs in all: the sum of its weights, and of those that are positive. */
typedef void (*sf_sums_kernel)(const int16_t* words, size_t pairs, int64_t sum[SF_PANEL], int64_t positive[SF_PANEL]);

/* up = clamp(w + delta), down = clamp(w - delta) with delta of the contract, section 7, for its exact perturbation, and the limits
 * -q_max and q_max. No two of the arrays overlap. */
typedef void (*sf_twins_kernel)(const int16_t* w, const int8_t* z, uint32_t count, const sf_scaler* scaler, int32_t q_max, int16_t* up,
                                int16_t* down);

/* w = clamp(w - move[z as a byte]) to -32767 .. 32767. */
typedef void (*sf_moves_kernel)(int16_t* w, const int8_t* z, uint32_t count, const int16_t move[256]);

typedef void (*sf_add_kernel)(const sf_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y);

struct sf_kernels {
    sf_block_kernel dot;
    sf_block_kernel window;
    sf_block_kernel bytes;      /* NULL where 8-bit weights are widened */
    uint32_t byte_flip;         /* of bytes: a picture holds x ^ byte_flip: s8 (0), or u8 (128) */
    sf_grid_kernel grid_dot;    /* NULL, like the next three, where nothing is gained by it */
    sf_grid_kernel grid_bytes;
    sf_grid_kernel grid_window;
    sf_grid_kernel grid_few;    /* dot for at most SF_FEW_ROWS rows, whose words are [segment][four][SF_FEW_ROWS][4] */
    sf_row_kernel row;
    sf_picture_kernel picture;
    sf_winograd_kernel winograd; /* NULL: by way of dot and rows */
    sf_rows_kernel rows;
    sf_interleave_kernel interleave;
    sf_add_kernel add;
    sf_sums_kernel sums;
    sf_twins_kernel twins;
    sf_moves_kernel moves; /* NULL where a table is not looked up in registers */
    sf_max_line_kernel max_line;
    sf_draw_kernels draw;
};

#endif
