/* The output positions of a band, and walking over them. */
#ifndef SF_GRID_H
#define SF_GRID_H

#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/block.h"

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

/* The next eight where a row of the grid ends among them. */
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

/* The first `count` < SF_PANEL outputs of eight positions. Kernels leave the outputs of a panel that is not full in
 * such a table: stores under a mask are many times slower on some machines. */
typedef int8_t sf_panel_outputs[SF_BLOCK_PATCHES][SF_PANEL];
void sf_store_few(sf_panel_outputs few, uint32_t count, int8_t* y, const size_t* at);

#endif
