/* Products of errors and inputs, at all positions of a sample where an output may move. */
#ifndef SFI_OPEN_TILE_H
#define SFI_OPEN_TILE_H

#include <stdint.h>

/* Channels, and inputs of each position, of a tile. */
#define SFI_OPEN_SIDE 64u

/* One sample: positions side by side, each with inputs of its own. */
typedef struct sfi_open_tile {
    const int8_t *x, *y;     /* the tile's first input and first channel, at the first position */
    uint32_t x_step, y_step; /* from one position to the next */
    uint32_t positions;
    uint32_t inputs, channels; /* of the tile: at most SFI_OPEN_SIDE of each */
    int32_t zero;
    int8_t lo, hi;         /* between which an output may move */
    const int32_t* errors; /* one for each channel */
} sfi_open_tile;

/* products[SFI_OPEN_SIDE * channel + input] += error * sum of (x - zero). */
typedef void (*sfi_open_kernel)(const sfi_open_tile* tile, int32_t* products);

#endif
