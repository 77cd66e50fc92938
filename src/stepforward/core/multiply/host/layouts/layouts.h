/* How the rows of a panel are laid out, wherever they come from. */
#ifndef SFI_LAYOUTS_H
#define SFI_LAYOUTS_H

#include "multiply/host/host_tile.h"

/* One panel of rows on its way into a tile: as they are stored, and where their words and bounds go. */
typedef struct sfi_panel {
    const int16_t* line; /* `rows` rows, one after the other */
    uint32_t rows;
    int32_t zero; /* of the input */
    int16_t* words;
    int64_t* bounds;  /* of the rows (sfi_reach) */
    int64_t* surplus; /* of rows of bytes */
} sfi_panel;

/* The layouts of a panel: each fills the words, and all but `few` the bounds.
 *   pairs:    [segment][pair][SFI_PANEL][2]
 *   bytes:    [plane][segment][four][SFI_PANEL][4] in bytes, and the surplus; of weights of 16 bits the upper bytes are
 *             the first plane, and the lower ones, without a sign, the second
 *   few:      [segment][four][SFI_FEW_ROWS][4]
 *   winograd: winograd.h; returns 0, with nothing filled in but room for points, where the weights do not allow it */
void sfi_lay_pairs(const sfi_host_tile* tile, const sfi_panel* panel);
void sfi_lay_bytes(const sfi_host_tile* tile, const sfi_panel* panel);
void sfi_lay_few(const sfi_host_tile* tile, const sfi_panel* panel);
int sfi_lay_winograd(const sfi_host_tile* tile, const sfi_panel* panel);

/* Pairs of a whole panel's rows, `length` elements apart, row by row of a pair. */
void sfi_pack_pairs(const int16_t* from, size_t length, uint32_t pairs, int16_t* words);

#endif
