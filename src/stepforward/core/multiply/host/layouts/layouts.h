/* How the rows of a panel are laid out, wherever they come from. */
#ifndef SF_LAYOUTS_H
#define SF_LAYOUTS_H

#include "multiply/host/host_tile.h"

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

/* Pairs of a whole panel's rows, `length` elements apart, row by row of a pair. */
void sf_pack_pairs(const int16_t* from, size_t length, uint32_t pairs, int16_t* words);

#endif
