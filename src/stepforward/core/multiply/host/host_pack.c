/* Weight rows into a tile: staged a panel at a time, and laid out in the order in which the block kernels read them. */
#include "base/guard.h"
#include "base/integers.h"
#include "base/pass.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/layouts/layouts.h"
#include "multiply/host/packed_rows.h"
#include "multiply/stage.h"

/* One panel of rows from a line, into the tile `to`. */
static void pack_panel(const sfi_host_tile* t, const int16_t* line, uint32_t row, uint32_t rows, int32_t zero,
                       const sfi_host_tile* to)
{
    sfi_packed_rows* packed = to->packed_rows;
    sfi_panel panel = {line,
                       rows,
                       zero,
                       to->words + row / SFI_PANEL * sfi_host_panel_words(t),
                       packed->reach + row,
                       packed->surplus + row};
    const int transformed = t->winograd && sfi_lay_winograd(t, &panel);
    packed->transformed[row / SFI_PANEL] = (uint8_t)transformed;
    if (transformed)
        return;
    if (t->bytes) {
        sfi_lay_bytes(t, &panel);
        return;
    }
    sfi_lay_pairs(t, &panel);
    if (t->few) {
        panel.words = to->words + sfi_host_panel_words(t);
        sfi_lay_few(t, &panel);
    }
}

static void open_packed(sfi_host_tile* t, uint32_t count)
{
    uint8_t* at = (uint8_t*)t->words;
    sfi_room(&at, sfi_host_word_bytes(t));
    sfi_room(&at, sfi_packed_rows_bytes(t->capacity));
    sfi_packed_rows_open(t->packed_rows, t->capacity, count);
}

void sfi_host_tile_pack(sfi_host_tile* t, const sfi_call* call, uint32_t first_row, uint32_t count, sfi_host_tile* twin)
{
    const uint32_t length = t->segments * t->segment, weight = (uint32_t)call->op->weight;
    const int32_t zero = call->in->zero_point;
    int16_t* second = twin != NULL ? t->spare : NULL;
    open_packed(t, count);
    if (twin != NULL)
        open_packed(twin, count);
    for (uint32_t row = 0; row < count; row += SFI_PANEL) {
        const uint32_t rows = sfi_min_u32(SFI_PANEL, count - row);
        sfi_stage_twins_s16(call->pass, weight, (first_row + row) * length, rows * length, t->line, second);
        pack_panel(t, t->line, row, rows, zero, t);
        if (twin != NULL)
            pack_panel(t, second, row, rows, zero, twin);
    }
}
