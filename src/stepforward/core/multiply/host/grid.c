/* Walking over the positions of a grid, eight at a time. */
#include "base/machine.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"

/* Eight positions of which the last ones, or none, lie in the next row: without a branch, for where a row ends differs
 * every time. */
static void turn_once(sfi_cursor* c, sfi_eight* eight)
{
    const sfi_grid* g = c->grid;
    const uint32_t left = g->width - c->x; /* at most eight */
    const int16_t* line = c->line + g->down;
    const size_t line_at = c->line_at + g->out_down;
    for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++) {
        const size_t back = p < left ? 0 : left * g->across, at_back = p < left ? 0 : left * g->out_across;
        eight->patches[p] = (p < left ? c->patch : line) + (p * g->across - back);
        eight->at[p] = (p < left ? c->at : line_at) + (p * g->out_across - at_back);
    }
    c->x = SFI_BLOCK_PATCHES - left;
    c->y++;
    c->line = line;
    c->line_at = line_at;
    c->patch = line + c->x * g->across;
    c->at = line_at + c->x * g->out_across;
}

uint32_t sfi_grid_turn(sfi_cursor* c, sfi_eight* eight)
{
    const sfi_grid* g = c->grid;
    uint32_t p = 0;
    if (g->width >= SFI_BLOCK_PATCHES && c->y + 1 < g->rows) {
        turn_once(c, eight);
        return eight->count = SFI_BLOCK_PATCHES;
    }
    for (; p < SFI_BLOCK_PATCHES && c->y < g->rows; p++) {
        eight->patches[p] = c->patch;
        eight->at[p] = c->at;
        c->patch += g->across;
        c->at += g->out_across;
        if (++c->x == g->width) {
            c->x = 0;
            c->y++;
            c->patch = c->line += g->down;
            c->at = c->line_at += g->out_down;
        }
    }
    eight->count = p;
    for (; p < SFI_BLOCK_PATCHES; p++) {
        eight->patches[p] = eight->patches[0];
        eight->at[p] = eight->at[0];
    }
    return eight->count;
}

void sfi_store_few(sfi_panel_outputs few, uint32_t count, int8_t* y, const size_t* at)
{
    for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++)
        sfi_store_count(few[p], count, y + at[p]);
}
