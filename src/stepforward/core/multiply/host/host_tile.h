/* Weight rows packed for the block kernels. */
#ifndef SFI_HOST_TILE_H
#define SFI_HOST_TILE_H

#include "base/pass.h"
#include "multiply/host/grid.h"
#include "multiply/host/packed_rows.h"
#include "multiply/rows.h"

typedef struct sfi_host_tile {
    sfi_rows rows;
    uint32_t count;
    int16_t* words;               /* [panel][segment][pair][SFI_PANEL][2] */
    sfi_packed_rows* packed_rows; /* after the words */
    int16_t* line;                /* one panel's rows as they are stored */
    int16_t* spare;               /* a tile that is packed on the way, or a twin's rows as they are stored */
    int16_t* points;              /* winograd: transformed inputs, or weights on their way into words */
    void* acc;                    /* int32 or int64, [SFI_BLOCK_PATCHES][capacity] */
    size_t* offsets;              /* [segments] */
    size_t low;                   /* words on to the band of low bytes, where inputs have 16 bits; else 0 */
    uint32_t segments, segment;   /* elements of a segment */
    uint32_t pairs;
    uint32_t capacity;
    uint32_t bytes;    /* the words and the band hold bytes: sfi_block_bytes */
    uint32_t split;    /* of bytes: two planes of them, for weights of 16 bits: sfi_block_split */
    uint32_t winograd; /* panels are transformed where their weights allow: outputs along a side of a tile, or 0 */
    uint32_t few;      /* at most SFI_FEW_ROWS rows: their words lie there once more, as grid_few wants them */
    const sfi_kernels* kernels;
} sfi_host_tile;

/* rows of segments x segment elements, in bytes or in s16; winograd: three segments of three positions each, stride
 * one. */
typedef struct sfi_host_shape {
    uint32_t rows, segments, segment, bytes, split, winograd;
} sfi_host_shape;

/* Elements of a panel, and of a plane of it. */
size_t sfi_host_plane_words(const sfi_host_tile* tile);
size_t sfi_host_panel_words(const sfi_host_tile* tile);

uint64_t sfi_host_tile_packed_bytes(uint32_t row_tile, const sfi_host_shape* shape);

/* Bytes of the words of a tile, which its rows follow. */
uint64_t sfi_host_word_bytes(const sfi_host_tile* tile);

/* Working memory: a packed tile, and what it takes to pack and multiply one. */
uint64_t sfi_host_tile_bytes(uint32_t row_tile, const sfi_host_shape* shape);
uint8_t* sfi_host_tile_open(sfi_host_tile* tile, const sfi_kernels* kernels, void* memory, uint32_t row_tile,
                            const sfi_host_shape* shape);

/* Use the tile at sfi_host_tile_packed_bytes() of packed memory, which was packed before. */
void sfi_host_tile_select(sfi_host_tile* tile, void* packed);

/* The same before it is packed. */
void sfi_host_tile_point(sfi_host_tile* tile, void* packed);

/* host_pack.c: words and bounds of rows first_row .. first_row+count-1. twin: NULL, or receives them perturbed the
 * other way. While there is a twin, no tile may lie in the working memory. */
void sfi_host_tile_pack(sfi_host_tile* tile, const sfi_call* call, uint32_t first_row, uint32_t count,
                        sfi_host_tile* twin);

/* host_multiply.c: outputs of the staged rows at every position of a grid. */
void sfi_host_tile_multiply(const sfi_host_tile* tile, const sfi_grid* grid, void* y);

/* winograd_tiles.c: the same for rows whose panels are all transformed. */
void sfi_winograd_multiply(const sfi_host_tile* tile, const sfi_grid* grid, void* y);

#endif
