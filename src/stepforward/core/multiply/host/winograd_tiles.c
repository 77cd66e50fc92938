/* The transformed panels of a tile of weight rows, at every position of a grid. */
#include "base/integers.h"
#include "base/pass.h"
#include "multiply/host/grid.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/kernels.h"
#include "multiply/host/packed_rows.h"
#include "multiply/host/plain/plain.h"
#include "multiply/host/winograd.h"
#include "multiply/rows.h"

/* Where in a grid the next eight tiles begin: column x of row y, in tiles. */
typedef struct place {
    uint32_t x, y;
} place;

static void put_tile(const sfi_grid* g, place p, uint32_t t, sfi_tiles* tiles)
{
    const size_t x = 2 * (size_t)p.x, y = 2 * (size_t)p.y;
    const int right = x + 1 < g->width, below = y + 1 < g->rows;
    const size_t at = g->at + x * g->out_across + y * g->out_down;
    tiles->patches[t] = g->patch + x * g->across + y * g->down;
    for (uint32_t q = 0; q < 4; q++) {
        tiles->at[q][t] = at + (q & 1u) * g->out_across + (q >> 1) * g->out_down;
        tiles->inside[q][t] = (uint8_t)((right || !(q & 1u)) && (below || q < 2));
    }
    tiles->whole = tiles->whole && right && below;
}

/* Returns 0 at the end. */
static int next_tiles(const sfi_grid* g, place* p, sfi_tiles* tiles)
{
    const uint32_t across = (g->width + 1) / 2, down = (g->rows + 1) / 2;
    const place first = *p;
    tiles->whole = 1;
    for (uint32_t t = 0; t < SFI_WINOGRAD_TILES; t++) {
        const int any = p->y < down;
        put_tile(g, any ? *p : first, t, tiles);
        if (any && ++p->x == across) {
            p->x = 0;
            p->y++;
        }
    }
    return first.y < down;
}

/* Rows that are not fused, or have no kernel for it: from sums. */
static void finish_sums(const sfi_host_tile* t, const sfi_rows* rows, uint32_t count, const int32_t* sums,
                        const sfi_tiles* tiles, uint32_t row, void* y)
{
    for (uint32_t q = 0; q < 4; q++)
        for (uint32_t i = 0; i < SFI_WINOGRAD_TILES; i++, sums += SFI_PANEL) {
            const size_t at = tiles->at[q][i] + row;
            int64_t wide[SFI_PANEL];
            if (!tiles->inside[q][i])
                continue;
            if (rows->narrow) {
                t->kernels->rows(rows, sums, SFI_PANEL, count, 1, y, &at);
                continue;
            }
            for (uint32_t r = 0; r < SFI_PANEL; r++)
                wide[r] = sums[r];
            sfi_rows_wide(rows, wide, SFI_PANEL, count, 1, y, at, 0);
        }
}

void sfi_winograd_multiply(const sfi_host_tile* t, const sfi_grid* grid, void* y)
{
    const uint32_t channels = sfi_winograd_channels(t);
    const size_t panel = sfi_winograd_words(channels);
    int32_t sums[4 * SFI_WINOGRAD_TILES * SFI_PANEL];
    place from = {0, 0};
    sfi_tiles tiles;
    while (next_tiles(grid, &from, &tiles)) {
        t->kernels->band(tiles.patches, grid->across, grid->down, channels, t->points);
        for (uint32_t row = 0; row < t->count; row += SFI_PANEL) {
            const sfi_rows rows = sfi_rows_from(&t->rows, row);
            const uint32_t count = sfi_min_u32(SFI_PANEL, t->count - row);
            const int16_t* words = t->words + row / SFI_PANEL * panel;
            if (rows.fused_four && t->kernels->winograd != NULL) {
                t->kernels->winograd(words, t->points, channels, &rows, count, &tiles, (int8_t*)y + row);
            } else {
                sfi_winograd_sums(t->kernels->dot, words, t->points, channels, sums);
                finish_sums(t, &rows, count, sums, &tiles, row, y);
            }
        }
    }
}
