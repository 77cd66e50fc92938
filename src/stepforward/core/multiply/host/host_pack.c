/* Weight rows into a tile: staged a panel at a time, and laid out in the order in which the block kernels read them. */
#include "base/guard.h"
#include "base/integers.h"
#include "base/pass.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/layouts/layouts.h"
#include "multiply/host/packed_rows.h"
#include "multiply/stage.h"

/* One panel of rows from a line, into the tile `to`. */
static void pack_panel(const sf_host_tile* t, const int16_t* line, uint32_t row, uint32_t rows, int32_t zero, const sf_host_tile* to)
{
    sf_packed_rows* packed = to->packed_rows;
    sf_panel panel = {line, rows, zero, to->words + row / SF_PANEL * sf_host_panel_words(t), packed->reach + row, packed->surplus + row};
    const int transformed = t->winograd && sf_lay_winograd(t, &panel);
    packed->transformed[row / SF_PANEL] = (uint8_t)transformed;
    if (transformed)
        return;
    if (t->bytes) {
        sf_lay_bytes(t, &panel);
        return;
    }
    sf_lay_pairs(t, &panel);
    if (t->few) {
        panel.words = to->words + sf_host_panel_words(t);
        sf_lay_few(t, &panel);
    }
}

static void open_packed(sf_host_tile* t, uint32_t count)
{
    uint8_t* at = (uint8_t*)t->words;
    sf_room(&at, sf_host_word_bytes(t));
    sf_room(&at, sf_packed_rows_bytes(t->capacity));
    sf_packed_rows_open(t->packed_rows, t->capacity, count);
}

void sf_host_tile_pack(sf_host_tile* t, const sf_call* call, uint32_t first_row, uint32_t count, sf_host_tile* twin)
{
    const uint32_t length = t->segments * t->segment, weight = (uint32_t)call->op->weight;
    const int32_t zero = call->in->zero_point;
    int16_t* second = twin != NULL ? t->spare : NULL;
    open_packed(t, count);
    if (twin != NULL)
        open_packed(twin, count);
    for (uint32_t row = 0; row < count; row += SF_PANEL) {
        const uint32_t rows = sf_min_u32(SF_PANEL, count - row);
        sf_stage_twins_s16(call->pass, weight, (first_row + row) * length, rows * length, t->line, second);
        pack_panel(t, t->line, row, rows, zero, t);
        if (twin != NULL)
            pack_panel(t, second, row, rows, zero, twin);
    }
}
