/* What the kernels for hosts share. A host widens a band of the input once, into a picture of s16 with its padding in place, and
 * multiplies eight output positions at a time with panels of sixteen staged weight rows, straight from that picture. */
#ifndef SF_HOST_H
#define SF_HOST_H

#include "../directions.h"
#include "max_pool_s8.h"
#include "sum.h"

#define SF_BLOCK_PATCHES 8u /* output positions multiplied together */
#define SF_FEW_ROWS 8u       /* rows for which half a panel is enough */
#define SF_BLOCK_PANELS 3u  /* panels multiplied together at most: 24 accumulators of AVX-512 */
#define SF_BYTE_PRODUCTS 66311u /* times 127 * 255 stays inside int32 */
#define SF_BAND_BYTES 32768u /* of a widened band: together with some weights it stays in a first- or second-level cache */

/* Panels of staged rows, and the segments in which they read a patch; segments lie apart in the picture. */
typedef struct sf_block {
    const int16_t* words; /* first panel: [segment][pair][SF_PANEL][2] */
    size_t panel;         /* elements from one panel to the next */
    const size_t* offsets; /* of each segment in a patch, in elements */
    size_t segments;
    size_t pairs; /* of each segment */
} sf_block;

/* 8-bit weights: the picture holds bytes, two where the types say s16, and a pair stands for four of them. */

/* A product of eight patches with `panels` <= SF_BLOCK_PANELS panels of rows: acc[patch * acc_stride + row], in int32. The caller
 * makes sure that the sums fit, by at most SF_BLOCK products or by rows proven narrow.
 *   dot:    the rows of a panel share a patch: a segment holds pairs of s16, each multiplied with all rows.
 *   window: every row has its own channel: a segment holds pairs x [SF_PANEL][2], multiplied with the words one by one;
 *           the next panel's channels follow at patch + 2*SF_PANEL.
 *   bytes:  like dot, with four s8 weights and four bytes of the picture instead of two s16; at most SF_BYTE_PRODUCTS products. */
typedef void (*sf_block_kernel)(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                                size_t acc_stride);

/* The output positions of a band, and their patches. */
typedef struct sf_grid {
    uint32_t width, rows;
    const int16_t* patch;    /* of the first position */
    size_t across, down;     /* from one patch to the next in a row, and from a row to the next, in elements */
    size_t at;               /* first output of the first position */
    size_t out_across, out_down;
} sf_grid;

/* Eight positions of a grid; what fills up the last eight is its first position once more. */
typedef struct sf_eight {
    const int16_t* patches[SF_BLOCK_PATCHES];
    size_t at[SF_BLOCK_PATCHES];
    uint32_t count;
} sf_eight;

/* Where in a grid the next eight begin: position x of row y. */
typedef struct sf_cursor {
    const sf_grid* grid;
    const int16_t *line, *patch;
    size_t line_at, at;
    uint32_t x, y;
} sf_cursor;

SF_INLINE sf_cursor sf_grid_start(const sf_grid* grid)
{
    const sf_cursor c = {grid, grid->patch, grid->patch, grid->at, grid->at, 0, 0};
    return c;
}

/* grid.c: the next eight where a row of the grid ends among them. */
uint32_t sf_grid_turn(sf_cursor* c, sf_eight* eight);

/* Returns how many there are, 0 at the end. */
SF_INLINE uint32_t sf_grid_next(sf_cursor* c, sf_eight* eight)
{
    const sf_grid* g = c->grid;
    if (c->y == g->rows || c->x + SF_BLOCK_PATCHES >= g->width)
        return sf_grid_turn(c, eight);
    for (uint32_t p = 0; p < SF_BLOCK_PATCHES; p++) {
        eight->patches[p] = c->patch + p * g->across;
        eight->at[p] = c->at + p * g->out_across;
    }
    c->patch += SF_BLOCK_PATCHES * g->across;
    c->at += SF_BLOCK_PATCHES * g->out_across;
    c->x += SF_BLOCK_PATCHES;
    return eight->count = SF_BLOCK_PATCHES;
}

/* grid.c: the first `count` < SF_PANEL outputs of eight positions. Kernels leave the outputs of a panel that is not full in
 * such a table: stores under a mask are many times slower on some machines. */
typedef int8_t sf_panel_outputs[SF_BLOCK_PATCHES][SF_PANEL];
void sf_store_few(sf_panel_outputs few, uint32_t count, int8_t* y, const size_t* at);

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

void sf_block_dot(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_block_window(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_block_bytes(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
/* rows_plain.c: outputs of the first `count` rows at some positions: position p reads acc[p * capacity ..], without bias, and writes
 * y[at + p*step ..]; of narrow rows, and of any. */
void sf_rows_narrow(const sf_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions, void* y,
                    size_t at, size_t step);
void sf_rows_wide(const sf_rows* rows, const int64_t* acc, uint32_t capacity, uint32_t count, uint32_t positions, void* y,
                  size_t at, size_t step);

void sf_rows_each(const sf_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions, void* y,
                  const size_t* at);
void sf_interleave(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out);
void sf_sums(const int16_t* words, size_t pairs, int64_t sum[SF_PANEL], int64_t positive[SF_PANEL]);
void sf_twins(const int16_t* w, const int8_t* z, uint32_t count, const sf_scaler* scaler, int32_t q_max, int16_t* up, int16_t* down);

#if SF_NEON
void sf_block_dot_neon(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
int sf_has_dot_neon(void); /* SDOT, from Armv8.2 on */
void sf_block_bytes_neon(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_block_window_neon(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
#endif

#if SF_X86
void sf_sum_vnni(const sf_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y);
void sf_interleave_avx2(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out);
void sf_interleave_avx512(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out);
void sf_block_dot_avx2(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_block_dot_vnni(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_block_window_avx2(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_block_window_vnni(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_grid_dot_avx2(const sf_block* block, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y);
void sf_grid_window_avx2(const sf_block* block, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y);
void sf_block_bytes_vnni(const sf_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride);
void sf_grid_bytes_vnni(const sf_block* block, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y);
void sf_grid_dot_vnni(const sf_block* block, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y);
void sf_grid_few_vnni(const sf_block* block, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y);
void sf_grid_window_vnni(const sf_block* block, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y);
void sf_rows_avx512(const sf_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions, void* y,
                    const size_t* at);
void sf_sums_vnni(const int16_t* words, size_t pairs, int64_t sum[SF_PANEL], int64_t positive[SF_PANEL]);
void sf_moves_avx512(int16_t* w, const int8_t* z, uint32_t count, const int16_t move[256]);
void sf_twins_avx512(const int16_t* w, const int8_t* z, uint32_t count, const sf_scaler* scaler, int32_t q_max, int16_t* up,
                     int16_t* down);
#endif

/* The largest magnitude that a sum of a row, without its bias, can have on the way: X = x - zero lies in [-below, above] with
 * below, above >= 0, so with the sums `up` of the positive and `down` of the negative weights' magnitudes every partial sum is at most
 * up*above + down*below and at least -(up*below + down*above). */
SF_INLINE int64_t sf_reach(int64_t up, int64_t down, int64_t zero)
{
    const int64_t below = 128 + zero, above = 127 - zero, high = up * above + down * below, low = up * below + down * above;
    return high > low ? high : low;
}

/* packed_rows.c: the rows of a tile as they lie in its packed memory. */
typedef struct sf_packed_rows {
    sf_rows rows;
    int64_t* reach;   /* of the words alone (sf_reach), which sf_rows_scale() starts from */
    uint8_t* transformed; /* of every panel: whether its words are those of winograd.h */
    int32_t* surplus; /* of a row of bytes: what its sum has too much, for the picture holds x ^ byte_flip and not x - zero; else 0 */
    uint32_t count;
} sf_packed_rows;

uint64_t sf_packed_rows_bytes(uint32_t capacity);

/* Lay the arrays out behind the structure, for `count` rows. */
void sf_packed_rows_open(sf_packed_rows* packed, uint32_t capacity, uint32_t count);

/* Biases and scales; the bounds in reach[] stay as they are. twin: NULL, or the rows of the probe of opposite sign. */
void sf_packed_rows_prepare(sf_packed_rows* packed, sf_packed_rows* twin, const sf_call* call, uint32_t first_row);

/* Rows from row `first` on. */
SF_INLINE sf_rows sf_rows_from(const sf_rows* rows, uint32_t first)
{
    sf_rows r = *rows;
    r.bias += first;
    r.mult += first;
    r.half += first;
    r.shift += first;
    r.reach += first;
    return r;
}

/* host_tile.c: weight rows packed for the block kernels. */
typedef struct sf_host_tile {
    sf_rows rows;
    uint32_t count;
    int16_t* words;              /* [panel][segment][pair][SF_PANEL][2] */
    sf_packed_rows* packed_rows; /* behind the words */
    int16_t* line;               /* one panel's rows as they are stored */
    int16_t* spare;              /* a tile that is packed on the way, or a twin's rows as they are stored */
    int16_t* points;             /* winograd: transformed inputs, or weights on their way into words */
    void* acc;                   /* int32 or int64, [SF_BLOCK_PATCHES][capacity] */
    size_t* offsets;             /* [segments] */
    uint32_t segments, segment;  /* elements of a segment */
    uint32_t pairs;
    uint32_t capacity;
    uint32_t bytes; /* the words and the picture hold bytes: sf_block_bytes */
    uint32_t winograd; /* panels are transformed where their weights allow */
    uint32_t few; /* at most SF_FEW_ROWS rows: their words lie there once more, as grid_few wants them */
    const sf_kernels* kernels;
} sf_host_tile;

/* rows of segments x segment elements, in bytes or in s16; winograd: three segments of three positions each, stride one. */
typedef struct sf_host_shape {
    uint32_t rows, segments, segment, bytes, winograd;
} sf_host_shape;

/* One panel of rows on its way into a tile: as they are stored, and where their words and bounds go. */
typedef struct sf_panel {
    const int16_t* line; /* `rows` rows, one after the other */
    uint32_t rows;
    int32_t zero;        /* of the input */
    int16_t* words;
    int64_t* bounds;     /* of the rows (sf_reach) */
    int32_t* surplus;    /* of rows of bytes */
} sf_panel;

/* The layouts of a panel: each fills the words, and all but `few` the bounds.
 *   pairs:    [segment][pair][SF_PANEL][2]
 *   bytes:    [segment][four][SF_PANEL][4] in bytes, and the surplus
 *   few:      [segment][four][SF_FEW_ROWS][4]
 *   winograd: winograd.h; returns 0, with nothing filled in but room for points, where the weights do not allow it */
void sf_lay_pairs(const sf_host_tile* tile, const sf_panel* panel);
void sf_lay_bytes(const sf_host_tile* tile, const sf_panel* panel);
void sf_lay_few(const sf_host_tile* tile, const sf_panel* panel);
int sf_lay_winograd(const sf_host_tile* tile, const sf_panel* panel);

/* layout_pairs.c: pairs of a whole panel's rows, `length` elements apart, row by row of a pair. */
void sf_pack_pairs(const int16_t* from, size_t length, uint32_t pairs, int16_t* words);

/* host_tile.c: elements of a panel. */
size_t sf_host_panel_words(const sf_host_tile* tile);

uint64_t sf_host_tile_packed_bytes(uint32_t row_tile, const sf_host_shape* shape);

/* Bytes of the words of a tile, which its rows follow. */
uint64_t sf_host_word_bytes(const sf_host_tile* tile);

/* Working memory: a packed tile, and what it takes to pack and multiply one. */
uint64_t sf_host_tile_bytes(uint32_t row_tile, const sf_host_shape* shape);
uint8_t* sf_host_tile_open(sf_host_tile* tile, const sf_kernels* kernels, void* memory, uint32_t row_tile, const sf_host_shape* shape);

/* Use the tile at sf_host_tile_packed_bytes() of packed memory, which was packed before. */
void sf_host_tile_select(sf_host_tile* tile, void* packed);

/* The same before it is packed. */
void sf_host_tile_point(sf_host_tile* tile, void* packed);

/* host_pack.c: words and bounds of rows first_row .. first_row+count-1. twin: NULL, or receives them perturbed the other way. While there is a
 * twin, no tile may lie in the working memory. */
void sf_host_tile_pack(sf_host_tile* tile, const sf_call* call, uint32_t first_row, uint32_t count, sf_host_tile* twin);

/* host_multiply.c: outputs of the staged rows at every position of a grid. */
void sf_host_tile_multiply(const sf_host_tile* tile, const sf_grid* grid, void* y);

/* winograd_tile.c: the same for rows whose panels are all transformed. */
void sf_winograd_multiply(const sf_host_tile* tile, const sf_grid* grid, void* y);

/* Each kernel: working memory, packed memory, packing one tile into call->packed, and running. A call without packed memory packs
 * on the way. twin: NULL, or the same call for the probe of opposite sign, which draws no z of its own. */
uint64_t sf_conv_host_bytes(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
sf_packing sf_conv_host_packing(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
void sf_conv_host_pack(const sf_call* call, const sf_call* twin, uint32_t tile);
void sf_conv_host(const sf_call* call);
uint64_t sf_fully_connected_host_bytes(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
sf_packing sf_fully_connected_host_packing(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
void sf_fully_connected_host_pack(const sf_call* call, const sf_call* twin, uint32_t tile);
void sf_fully_connected_host(const sf_call* call);
uint64_t sf_depthwise_host_bytes(const sf_program* program, const sf_op* op, uint32_t row_tile);
sf_packing sf_depthwise_host_packing(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
void sf_depthwise_host_pack(const sf_call* call, const sf_call* twin, uint32_t tile);
int sf_depthwise_host(const sf_call* call);

#endif
