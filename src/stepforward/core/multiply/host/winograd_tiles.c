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

/* Where in a grid the next tiles begin: column x of row y, in tiles. */
typedef struct place {
    uint32_t x, y;
} place;

SFI_INLINE void put_tile(const sfi_grid* g, const size_t side, place p, uint32_t t, sfi_tiles* tiles)
{
    const size_t x = side * p.x, y = side * p.y;
    uint32_t inside = 0;
    tiles->at[t] = g->at + x * g->out_across + y * g->out_down;
    tiles->patches[t] = g->patch + x * g->across + y * g->down;
    tiles->inside[t] = (uint16_t)((1u << side * side) - 1);
    if (x + side <= g->width && y + side <= g->rows)
        return;
    for (size_t i = 0; i < side * side; i++)
        inside |= (uint32_t)(x + i % side < g->width && y + i / side < g->rows) << i;
    tiles->inside[t] = (uint16_t)inside;
    tiles->whole = 0;
}

SFI_INLINE void open_tiles(const sfi_grid* g, const size_t side, sfi_tiles* tiles)
{
    for (size_t i = 0; i < side * side; i++)
        tiles->on[i] = i % side * g->out_across + i / side * g->out_down;
}

/* Returns 0 at the end. */
SFI_INLINE int next_tiles(const sfi_grid* g, const uint32_t side, place* p, sfi_tiles* tiles)
{
    const uint32_t across = (g->width + side - 1) / side, down = (g->rows + side - 1) / side;
    const place first = *p;
    tiles->whole = 1;
    tiles->count = SFI_WINOGRAD_TILES;
    for (uint32_t t = 0; t < tiles->count; t++) {
        const int any = p->y < down;
        if (side == SFI_LARGE && t == SFI_LARGE_TILES && !any) {
            tiles->count = t;
            break;
        }
        put_tile(g, side, any ? *p : first, t, tiles);
        if (any && ++p->x == across) {
            p->x = 0;
            p->y++;
        }
    }
    return first.y < down;
}

/* Rows that are not fused, or have no kernel for it: from sums[output][tile]. */
static void finish_sums(const sfi_host_tile* t, const sfi_rows* rows, uint32_t count, const int32_t* sums,
                        const sfi_tiles* tiles, uint32_t row, void* y)
{
    for (uint32_t q = 0; q < t->winograd * t->winograd; q++)
        for (uint32_t i = 0; i < SFI_WINOGRAD_TILES; i++, sums += SFI_PANEL) {
            const size_t at = tiles->at[i] + tiles->on[q] + row;
            int64_t wide[SFI_PANEL];
            if (i >= tiles->count || !(tiles->inside[i] >> q & 1u))
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

/* The sums of a panel. */
static void sum_panel(const sfi_host_tile* t, const int16_t* words, const sfi_tiles* tiles, int32_t* sums)
{
    const uint32_t channels = sfi_winograd_channels(t);
    if (t->winograd == SFI_LARGE)
        t->kernels->large_sums(words, t->points, channels, tiles, sums);
    else
        sfi_winograd_sums(t->kernels->dot, words, t->points, channels, sums);
}

SFI_INLINE void multiply(const sfi_host_tile* t, const sfi_grid* grid, const uint32_t side, void* y)
{
    const sfi_kernels* k = t->kernels;
    const sfi_winograd_kernel kernel = side == SFI_LARGE ? k->large : k->winograd;
    const uint32_t channels = sfi_winograd_channels(t);
    const size_t panel = sfi_winograd_words(side, channels);
    int32_t sums[SFI_LARGE * SFI_LARGE * SFI_WINOGRAD_TILES * SFI_PANEL];
    place from = {0, 0};
    sfi_tiles tiles;
    open_tiles(grid, side, &tiles);
    while (next_tiles(grid, side, &from, &tiles)) {
        if (side == SFI_LARGE)
            k->large_band(&tiles, grid->across, grid->down, channels, t->points);
        else
            k->band(tiles.patches, grid->across, grid->down, channels, t->points);
        for (uint32_t row = 0; row < t->count; row += SFI_PANEL) {
            const sfi_rows rows = sfi_rows_from(&t->rows, row);
            const uint32_t count = sfi_min_u32(SFI_PANEL, t->count - row);
            const int16_t* words = t->words + row / SFI_PANEL * panel;
            if (kernel != NULL && (side == SFI_LARGE ? rows.fused : rows.fused_four)) {
                kernel(words, t->points, channels, &rows, count, &tiles, (int8_t*)y + row);
            } else {
                sum_panel(t, words, &tiles, sums);
                finish_sums(t, &rows, count, sums, &tiles, row, y);
            }
        }
    }
}

void sfi_winograd_multiply(const sfi_host_tile* t, const sfi_grid* grid, void* y)
{
    if (t->winograd == SFI_LARGE)
        multiply(t, grid, SFI_LARGE, y);
    else
        multiply(t, grid, SFI_SMALL, y);
}
