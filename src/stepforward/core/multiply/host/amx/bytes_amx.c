/* 8-bit weights with AMX: sixteen patches times sixteen rows at a time, and four such products side by side. A panel of
 * fours (layout_bytes.c) is what a tile of the second matrix has to look like. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/amx/amx.h"
#include "multiply/host/amx/columns_amx.h"
#include "multiply/host/amx/places_amx.h"
#include "multiply/host/amx/tiles.h"
#include "multiply/host/amx/variations_amx.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SFI_X86

/* A group of places whose sums are there: they become outputs between the products of the next group, some rows at a
 * time, for a processor looks ahead only so far. */
typedef struct pending {
    const sfi_sums* sums;
    const sfi_places* places;
    uint32_t tiles, tile, row; /* panel j of place i is tile i * panels + j; which row comes next */
} pending;

#define SHARE 4u /* of its rows after every product: with fewer the calls cost, with more products wait */

/* The next `count` rows, or what is left of a tile. */
SFI_VNNI_INLINE void finish(pending* q, const sfi_lanes* lanes, const int rounding, uint32_t panels, uint32_t panel,
                            uint32_t count, size_t across)
{
    const uint32_t end = sfi_min_u32(q->row + count, SFI_SIDE);
    const sfi_places* p = q->places + q->tile / panels;
    sfi_tile_finish(lanes + panel, rounding, q->sums + q->tile, 1, q->row, end, p, across, panel * SFI_PANEL);
    q->row = end;
    if (end == SFI_SIDE) {
        q->row = 0;
        q->tile++;
    }
}

#define FINISH(count) \
    do { \
        if (panels == 1 || before->tile % panels == 0) \
            finish(before, l, rounding, panels, 0, count, across); \
        else if (panels == 2 || before->tile % panels == 1) \
            finish(before, l, rounding, panels, 1, count, across); \
        else \
            finish(before, l, rounding, panels, 2, count, across); \
    } while (0)

/* The products of a part: of four places with a panel, of two with two, or of one with three. */
#define LOAD_X(i) \
    do { \
        if (woven) \
            SFI_PART_LOAD_X(k, p[i].patch + k->at, stride); \
        else \
            SFI_PART_LOAD_PATCHES(k, p + (i), copy, stride); \
    } while (0)
#define LOAD_W(j) SFI_PART_LOAD_W(k, k->words + (j) * panel)
#define PRODUCT(t) \
    do { \
        SFI_PART_PRODUCT(k, SFI_TILE_PRODUCT, t); \
        if (woven && before->tile < before->tiles) \
            FINISH(SHARE); \
    } while (0)
#define MULTIPLY \
    do { \
        LOAD_X(0); \
        LOAD_W(0); \
        PRODUCT(0); \
        if (panels == 1) { \
            if (count > 1) { \
                LOAD_X(1); \
                PRODUCT(1); \
            } \
            if (count > 2) { \
                LOAD_X(2); \
                PRODUCT(2); \
            } \
            if (count > 3) { \
                LOAD_X(3); \
                PRODUCT(3); \
            } \
        } else { \
            LOAD_W(1); \
            PRODUCT(1); \
        } \
        if (panels == 2 && count > 1) { \
            LOAD_X(1); \
            PRODUCT(3); \
            LOAD_W(0); \
            PRODUCT(2); \
        } \
        if (panels == 3) { \
            LOAD_W(2); \
            PRODUCT(2); \
        } \
    } while (0)

/* sums[place * panels + panel] of all segments and of `count` places. woven: with the outputs of those before; no place
 * may lie apart then. */
SFI_VNNI_INLINE void multiply(const sfi_block* b, const sfi_places* p, uint32_t count, const uint32_t panels,
                              const int rounding, const int woven, const sfi_grid* grid, sfi_sums* sums,
                              pending* before, const sfi_lanes* l)
{
    uint8_t copy[SFI_SIDE][SFI_TILE_BYTES] __attribute__((aligned(SFI_TILE_BYTES)));
    const size_t panel = b->panel, stride = grid->across * sizeof(int16_t), across = grid->out_across;
    sfi_part part = sfi_part_first(b), *k = &part;
    SFI_TILE_EVERY_PART(b, k, MULTIPLY, sums);
}

SFI_INLINE int any_apart(const sfi_places* p, uint32_t count)
{
    int any = 0;
    for (uint32_t i = 0; i < count; i++)
        any |= p[i].apart;
    return any;
}

SFI_VNNI_INLINE void run_grid(const sfi_block* b, const sfi_grid* grid, const sfi_lanes* lanes, const uint32_t panels,
                              const int rounding, int8_t* y)
{
    const uint32_t most = panels == 1 ? 4 : panels == 2 ? 2 : 1;
    const size_t across = grid->out_across;
    const sfi_lanes l[SFI_BLOCK_PANELS] = {lanes[0], lanes[panels > 1], lanes[panels > 2 ? 2 : 0]};
    sfi_sums sums[2][SFI_TILE_SUMS] __attribute__((aligned(SFI_TILE_BYTES)));
    sfi_places places[2][SFI_TILE_SUMS];
    sfi_way way;
    pending those = {sums[1], places[1], 0, 0, 0}, *before = &those;
    uint32_t count, turn = 0;
    sfi_way_start(&way, grid, y);
    do {
        sfi_places* p = places[turn];
        count = sfi_places_some(&way, most, p);
        if (any_apart(p, count))
            multiply(b, p, count, panels, rounding, 0, grid, sums[turn], before, l);
        else if (count > 0)
            multiply(b, p, count, panels, rounding, 1, grid, sums[turn], before, l);
        while (before->tile < before->tiles)
            FINISH(SFI_SIDE);
        before->tiles = count * panels;
        before->tile = 0;
        before->sums = sums[turn];
        before->places = p;
        turn ^= 1;
    } while (count > 0);
}

#define PANELS(name, panels) \
    SFI_VNNI_INLINE void run_##name(const sfi_block* b, const sfi_grid* grid, const sfi_lanes* lanes, \
                                    const int rounding, int8_t* y) \
    { \
        run_grid(b, grid, lanes, panels, rounding, y); \
    } \
    SFI_VARIATIONS(name, run_##name)
PANELS(one, 1)
PANELS(two, 2)
PANELS(three, 3)

static const sfi_variation variations[SFI_BLOCK_PANELS][SFI_VARIATION_COUNT] = {
    SFI_VARIATION_TABLE(one), SFI_VARIATION_TABLE(two), SFI_VARIATION_TABLE(three)};

SFI_VNNI void sfi_grid_bytes_amx(const sfi_block* b, const sfi_grid* grid, const sfi_rows* rows, uint32_t count,
                                 int8_t* y)
{
    sfi_lanes lanes[SFI_BLOCK_PANELS];
    uint32_t panels = 0;
    int any = 0;
    for (uint32_t r = 0; r < count; r += SFI_PANEL) {
        lanes[panels] = sfi_lanes_load(rows, r, count - r);
        any |= lanes[panels].clamps || lanes[panels].count < SFI_PANEL;
        panels++;
    }
    const sfi_variation* way = panels == 1 && sfi_columns_suit(b, grid) ? sfi_columns_amx : variations[panels - 1];
    way[sfi_variation_of(any, rows->rounding)](b, grid, lanes, y);
}

#endif
