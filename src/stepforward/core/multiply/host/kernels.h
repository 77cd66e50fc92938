/* The kernels of a host. */
#ifndef SFI_KERNELS_H
#define SFI_KERNELS_H

#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/max_line.h"
#include "multiply/norm.h"
#include "multiply/open_tile.h"
#include "multiply/rows.h"
#include "multiply/softmax.h"
#include "multiply/sum.h"
#include "random/draw.h"
#include "stepforward.h"

/* A block kernel and the end of its rows together: the first `count` of `rows`, which are fused (sfi_rows_prepare), at
 * every position of a grid. dot takes at most SFI_BLOCK_PANELS panels, window any number. */
typedef void (*sfi_grid_kernel)(const sfi_block* block, const sfi_grid* grid, const sfi_rows* rows, uint32_t count,
                                int8_t* y);

/* The same of weights of 16 bits in two planes of bytes, `plane` elements apart. */
typedef void (*sfi_grid_split_kernel)(const sfi_block* block, size_t plane, const sfi_grid* grid, const sfi_rows* rows,
                                      uint32_t count, int8_t* y);

/* Outputs of `count` narrow rows at `positions` positions: position p reads acc[p * capacity ..] and writes y[at[p]
 * ..]. */
typedef void (*sfi_rows_kernel)(const sfi_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count,
                                uint32_t positions, void* y, const size_t* at);

/* out[2*i] = a[i] - zero, out[2*i + 1] = b[i] - zero */
typedef void (*sfi_interleave_kernel)(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out);

/* Outputs of a transformed panel (winograd.h): the first `count` of `rows`, which are fused (with fours where tiles are
 * small), at the tiles that are multiplied together. */
typedef struct sfi_tiles sfi_tiles;
typedef void (*sfi_winograd_kernel)(const int16_t* words, const int16_t* v, uint32_t channels, const sfi_rows* rows,
                                    uint32_t count, const sfi_tiles* tiles, int8_t* y);

/* A transformed row of weights, and the transformed inputs of eight tiles (winograd.h). */
typedef uint32_t (*sfi_row_kernel)(const int16_t* line, uint32_t channels, size_t step, int16_t* u, int64_t* sum,
                                   int64_t* positive);
typedef void (*sfi_band_kernel)(const int16_t* const* patches, size_t across, size_t down, uint32_t channels,
                                int16_t* v);

/* Of large tiles: their transformed inputs, v[column][row][tile][channel], and the sums of a transformed panel,
 * sums[output][SFI_WINOGRAD_TILES][row]. */
typedef void (*sfi_large_band_kernel)(const sfi_tiles* tiles, size_t across, size_t down, uint32_t channels,
                                      int16_t* v);
typedef void (*sfi_large_sums_kernel)(const int16_t* words, const int16_t* v, uint32_t channels, const sfi_tiles* tiles,
                                      int32_t* sums);

/* Of each row of a packed panel of `pairs` pairs in all: the sum of its weights, and of those that are positive. */
typedef void (*sfi_sums_kernel)(const int16_t* words, size_t pairs, int64_t sum[SFI_PANEL],
                                int64_t positive[SFI_PANEL]);

/* up = clamp(w + delta), down = clamp(w - delta) with delta of the contract, section 7, for its exact perturbation, and
 * the limits -q_max and q_max. No two of the arrays overlap. */
typedef void (*sfi_twins_kernel)(const int16_t* w, const int8_t* z, uint32_t count, const sf_scaler* scaler,
                                 int32_t q_max, int16_t* up, int16_t* down);

/* w = clamp(w - move[z as a byte]) to -32767 .. 32767. */
typedef void (*sfi_moves_kernel)(int16_t* w, const int8_t* z, uint32_t count, const int16_t move[256]);

typedef void (*sfi_add_kernel)(const sfi_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y);

/* y = table[x + 128] */
typedef void (*sfi_look_up_kernel)(const int8_t table[256], const int8_t* x, size_t count, int8_t* y);

/* Channels `first` to the last of a row, which x holds as words. */
typedef void (*sfi_norm_kernel)(const sfi_norm* norm, int32_t first, int32_t* x, void* y);

/* The powers of `count` distances from top, and their sum. Up to a whole 64 may be written. */
typedef uint64_t (*sfi_powers_kernel)(const sfi_power_table* table, const int8_t* x, uint32_t count, int32_t top,
                                      uint32_t* power);

/* What becomes of `count` powers, which are spent. */
typedef void (*sfi_quotients_kernel)(const sfi_divisor* divisor, uint32_t* power, uint32_t count, void* y);

struct sfi_kernels {
    void (*begin)(uint32_t pairs); /* before an operator of bytes with segments of so many pairs, or NULL */
    void (*end)(void);
    sfi_block_kernel dot;
    sfi_block_kernel window;
    sfi_block_kernel bytes;   /* NULL where 8-bit weights are widened */
    uint32_t byte_flip;       /* of bytes: a band holds x ^ byte_flip: s8 (0), or u8 (128) */
    sfi_grid_kernel grid_dot; /* NULL, like the next three, where nothing is gained by it */
    sfi_grid_kernel grid_bytes;
    sfi_grid_kernel grid_window;
    sfi_grid_kernel grid_few; /* dot for at most SFI_FEW_ROWS rows, whose words are [segment][four][SFI_FEW_ROWS][4] */
    sfi_split_kernel split;   /* NULL, like the next one, where weights of 16 bits stay in one piece */
    sfi_grid_split_kernel grid_split;
    sfi_row_kernel row;
    sfi_band_kernel band;
    sfi_winograd_kernel winograd; /* NULL: through dot and rows */
    sfi_row_kernel large_row;     /* of large tiles, NULL like the next three where there are none */
    sfi_large_band_kernel large_band;
    sfi_winograd_kernel large; /* of rows that are fused */
    sfi_large_sums_kernel large_sums;
    sfi_rows_kernel rows;
    sfi_interleave_kernel interleave;
    sfi_add_kernel add;
    sfi_sums_kernel sums;
    sfi_twins_kernel twins;
    sfi_moves_kernel moves; /* NULL where a table is not looked up in registers */
    sfi_max_line_kernel max_line;
    sfi_look_up_kernel look_up;
    sfi_norm_kernel norm;
    sfi_powers_kernel powers;
    sfi_quotients_kernel quotients;
    sfi_open_kernel open_tile; /* or NULL */
    sfi_draw_kernels draw;
};

#endif
