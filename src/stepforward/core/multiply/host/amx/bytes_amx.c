/* 8-bit weights with AMX: sixteen patches times sixteen rows at a time, and four such products side by side. A panel of
 * fours (layout_bytes.c) is what a tile of the second matrix has to look like. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/amx/amx.h"
#include "multiply/host/amx/places_amx.h"
#include "multiply/host/amx/tiles.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SFI_X86

/* The products of a part: of four places with a panel, of two with two, or of one with three. x and w are registers. */
#define LOAD_X(i, x) \
    SFI_TILE_LOAD(x, sfi_patches_of(p + (i), k->at, k->bytes, copy), p[i].apart ? SFI_TILE_BYTES : stride)
#define LOAD_W(j, w) SFI_TILE_LOAD(w, k->words + (j) * panel, SFI_TILE_BYTES)
#define MULTIPLY(x, w) \
    do { \
        LOAD_X(0, x); \
        LOAD_W(0, w); \
        SFI_TILE_PRODUCT(0, x, w); \
        if (panels == 1) { \
            if (count > 1) { \
                LOAD_X(1, x); \
                SFI_TILE_PRODUCT(1, x, w); \
            } \
            if (count > 2) { \
                LOAD_X(2, x); \
                SFI_TILE_PRODUCT(2, x, w); \
            } \
            if (count > 3) { \
                LOAD_X(3, x); \
                SFI_TILE_PRODUCT(3, x, w); \
            } \
        } else { \
            LOAD_W(1, w); \
            SFI_TILE_PRODUCT(1, x, w); \
        } \
        if (panels == 2 && count > 1) { \
            LOAD_X(1, x); \
            SFI_TILE_PRODUCT(3, x, w); \
            LOAD_W(0, w); \
            SFI_TILE_PRODUCT(2, x, w); \
        } \
        if (panels == 3) { \
            LOAD_W(2, w); \
            SFI_TILE_PRODUCT(2, x, w); \
        } \
    } while (0)

/* sums[place * panels + panel] of all segments and of `count` places. */
SFI_VNNI_INLINE void multiply(const sfi_block* b, const sfi_places* p, uint32_t count, const int panels, size_t stride,
                              sfi_sums* sums)
{
    uint8_t copy[SFI_SIDE][SFI_TILE_BYTES] __attribute__((aligned(SFI_TILE_BYTES)));
    const size_t panel = b->panel;
    sfi_part part = sfi_part_first(b), *k = &part;
    SFI_TILE_EVERY_PART(b, k, MULTIPLY, sums);
}

/* Sums become outputs when the next group is on its way: until they can be loaded, tiles take a while to be stored. */
SFI_VNNI_INLINE void run_grid(const sfi_block* b, const sfi_grid* grid, const sfi_lanes* lanes, const int panels,
                              int8_t* y)
{
    const uint32_t most = panels == 1 ? 4 : panels == 2 ? 2 : 1;
    sfi_sums sums[2][SFI_TILE_SUMS] __attribute__((aligned(SFI_TILE_BYTES)));
    sfi_places p[2][SFI_TILE_SUMS];
    sfi_way way = sfi_way_start(grid);
    uint32_t count, before = 0, turn = 0;
    do {
        count = sfi_places_some(&way, most, p[turn]);
        if (count > 0)
            multiply(b, p[turn], count, panels, grid->across * sizeof(int16_t), sums[turn]);
        turn ^= 1;
        for (uint32_t i = 0; i < before; i++)
            for (uint32_t j = 0; j < (uint32_t)panels; j++)
                sfi_places_finish(lanes + j, sums[turn] + i * (uint32_t)panels + j, 1, p[turn] + i, grid->out_across,
                                  y + j * SFI_PANEL);
        before = count;
    } while (count > 0);
}

SFI_VNNI void sfi_grid_bytes_amx(const sfi_block* b, const sfi_grid* grid, const sfi_rows* rows, uint32_t count,
                                 int8_t* y)
{
    sfi_lanes lanes[SFI_BLOCK_PANELS];
    uint32_t panels = 0;
    for (uint32_t r = 0; r < count; r += SFI_PANEL)
        lanes[panels++] = sfi_lanes_load(rows, r, count - r);
    sfi_tiles_shape(b);
    if (panels == 1)
        run_grid(b, grid, lanes, 1, y);
    else if (panels == 2)
        run_grid(b, grid, lanes, 2, y);
    else
        run_grid(b, grid, lanes, 3, y);
    SFI_TILE_RELEASE();
}

#endif
