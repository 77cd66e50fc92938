/* The output positions of a band, and walking over them. */
#ifndef SFI_GRID_H
#define SFI_GRID_H

#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/block.h"

/* The output positions of a band, and their patches. */
typedef struct sfi_grid {
    uint32_t width, rows;
    const int16_t* patch; /* of the first position */
    size_t across, down;  /* from one patch to the next in a row, and from a row to the next, in elements */
    size_t at;            /* first output of the first position */
    size_t out_across, out_down;
} sfi_grid;

/* Eight positions of a grid; what fills up the last eight is its first position once more. */
typedef struct sfi_eight {
    const int16_t* patches[SFI_BLOCK_PATCHES];
    size_t at[SFI_BLOCK_PATCHES];
    uint32_t count;
} sfi_eight;

/* Where in a grid the next eight begin: position x of row y. */
typedef struct sfi_cursor {
    const sfi_grid* grid;
    const int16_t *line, *patch;
    size_t line_at, at;
    uint32_t x, y;
} sfi_cursor;

SFI_INLINE sfi_cursor sfi_grid_start(const sfi_grid* grid)
{
    const sfi_cursor c = {grid, grid->patch, grid->patch, grid->at, grid->at, 0, 0};
    return c;
}

/* The next eight where a row of the grid ends among them. */
uint32_t sfi_grid_turn(sfi_cursor* c, sfi_eight* eight);

/* Returns how many there are, 0 at the end. */
SFI_INLINE uint32_t sfi_grid_next(sfi_cursor* c, sfi_eight* eight)
{
    const sfi_grid* g = c->grid;
    if (c->y == g->rows || c->x + SFI_BLOCK_PATCHES >= g->width)
        return sfi_grid_turn(c, eight);
    for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++) {
        eight->patches[p] = c->patch + p * g->across;
        eight->at[p] = c->at + p * g->out_across;
    }
    c->patch += SFI_BLOCK_PATCHES * g->across;
    c->at += SFI_BLOCK_PATCHES * g->out_across;
    c->x += SFI_BLOCK_PATCHES;
    return eight->count = SFI_BLOCK_PATCHES;
}

/* Up to fifteen bytes: stores under a mask are many times slower on some machines. */
SFI_INLINE void sfi_store_count(const int8_t* from, uint32_t count, int8_t* to)
{
    if (count & 8) {
        sfi_copy(to, from, 8);
        from += 8;
        to += 8;
    }
    if (count & 4) {
        sfi_copy(to, from, 4);
        from += 4;
        to += 4;
    }
    if (count & 2) {
        sfi_copy(to, from, 2);
        from += 2;
        to += 2;
    }
    if (count & 1)
        *to = *from;
}

/* The first `count` < SFI_PANEL outputs of eight positions, which kernels leave in such a table where a panel is not
 * full. */
typedef int8_t sfi_panel_outputs[SFI_BLOCK_PATCHES][SFI_PANEL];
void sfi_store_few(sfi_panel_outputs few, uint32_t count, int8_t* y, const size_t* at);

#endif
