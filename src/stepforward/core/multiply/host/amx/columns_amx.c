/* Kernels three rows high that move down by one, with 8-bit weights of one panel: sixteen columns at a time from top to
 * bottom. A row of the band that is loaded once meets all three rows of weights, which stay in registers, for as many
 * rows of outputs. Loads of rows that cross cache lines take longer than products. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/amx/columns_amx.h"
#include "multiply/host/amx/places_amx.h"
#include "multiply/host/amx/tiles.h"
#include "multiply/host/amx/variations_amx.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"

#if SFI_X86

#define HIGH 3u /* rows of a kernel */

int sfi_columns_suit(const sfi_block* b, const sfi_grid* g)
{
    return b->segments == HIGH && b->pairs * 4 <= SFI_TILE_BYTES && g->rows >= HIGH && g->width >= SFI_SIDE &&
           b->offsets[1] == b->offsets[0] + g->down && b->offsets[2] == b->offsets[1] + g->down;
}

/* The row of outputs whose sums are there. */
typedef struct ready {
    const sfi_sums* sums; /* NULL: none yet */
    sfi_places place;
    uint32_t row;
} ready;

/* Its outputs, between the products of what follows. */
SFI_VNNI_INLINE void finish(ready* q, const sfi_lanes* l, const int rounding, uint32_t count, size_t across)
{
    const uint32_t row = q->row;
    if (q->sums == NULL)
        return;
    q->row += count;
    sfi_tile_finish(l, rounding, q->sums, 1, row, q->row, &q->place, across, 0);
    if (q->row == SFI_SIDE)
        q->sums = NULL;
}

/* Row `in` of the band: the last products for the outputs in register LAST, the second for SECOND, and the first for
 * FIRST. Registers 4, 5 and 7 hold the rows of weights, 6 the inputs (shapes_amx.c). */
#define ROW(FIRST, SECOND, LAST) \
    do { \
        const int16_t* from = top + in * g->down; \
        SFI_TILE_LOAD(6, from, stride); \
        if (in >= 2) \
            SFI_TILE_PRODUCT(LAST, 6, 7); \
        finish(&before, &l, rounding, 6, across); \
        if (in >= 1 && in <= g->rows) \
            SFI_TILE_PRODUCT(SECOND, 6, 5); \
        finish(&before, &l, rounding, 4, across); \
        if (in < g->rows) { \
            SFI_TILE_ZERO(FIRST); \
            SFI_TILE_PRODUCT(FIRST, 6, 4); \
        } \
        finish(&before, &l, rounding, 6, across); \
        if (in >= 2) { \
            SFI_TILE_STORE(LAST, sums[in % 2], SFI_TILE_BYTES); \
            before.sums = &sums[in % 2]; \
            before.place.first = y + g->at + (in - 2) * g->out_down + x * across; \
            before.row = 0; \
        } \
        in++; \
    } while (0)

SFI_VNNI_INLINE void run_columns(const sfi_block* b, const sfi_grid* g, const sfi_lanes* lanes, const int rounding,
                                 int8_t* y)
{
    const size_t stride = g->across * sizeof(int16_t), across = g->out_across, words = b->pairs * 2 * SFI_PANEL;
    const sfi_lanes l = lanes[0];
    const uint32_t all = g->rows + HIGH - 1;
    sfi_sums sums[2] __attribute__((aligned(SFI_TILE_BYTES)));
    ready before = {0};
    SFI_TILE_LOAD(4, b->words, SFI_TILE_BYTES);
    SFI_TILE_LOAD(5, b->words + words, SFI_TILE_BYTES);
    SFI_TILE_LOAD(7, b->words + 2 * words, SFI_TILE_BYTES);
    /* The last sixteen columns may have some of those before once more. */
    for (uint32_t done = 0; done < g->width; done += SFI_SIDE) {
        const uint32_t x = sfi_min_u32(done, g->width - SFI_SIDE);
        const int16_t* top = g->patch + b->offsets[0] + x * g->across;
        uint32_t in = 0;
        for (;;) {
            ROW(0, 2, 1);
            if (in == all)
                break;
            ROW(1, 0, 2);
            if (in == all)
                break;
            ROW(2, 1, 0);
            if (in == all)
                break;
        }
    }
    finish(&before, &l, rounding, SFI_SIDE, across);
}

SFI_VARIATIONS(columns, run_columns)

const sfi_variation sfi_columns_amx[SFI_VARIATION_COUNT] = SFI_VARIATION_TABLE(columns);

#endif
