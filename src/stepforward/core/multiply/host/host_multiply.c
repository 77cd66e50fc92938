/* A packed tile times the patches of a grid. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/kernels.h"
#include "multiply/host/packed_rows.h"
#include "multiply/host/plain/plain.h"
#include "multiply/rows.h"

/* Panels of the next call: threes, but rather two and two than three and one. */
static uint32_t next_panels(uint32_t left) { return left == 4 ? 2 : sfi_min_u32(left, SFI_BLOCK_PANELS); }

/* Rows that are fused: one group of panels after the other, each at all positions. */
static void multiply_fused(const sfi_host_tile* t, sfi_block* b, const sfi_grid* grid, int8_t* y)
{
    const uint32_t panels = (t->count + SFI_PANEL - 1) / SFI_PANEL;
    if (t->few && t->kernels->grid_few != NULL) {
        b->words = t->words + b->panel;
        t->kernels->grid_few(b, grid, &t->rows, t->count, y);
        return;
    }
    const sfi_grid_kernel kernel = t->bytes ? t->kernels->grid_bytes : t->kernels->grid_dot;
    const size_t plane = sfi_host_plane_words(t);
    for (uint32_t j = 0, some; j < panels; j += some) {
        some = next_panels(panels - j);
        const sfi_rows rows = sfi_rows_from(&t->rows, j * SFI_PANEL);
        b->words = t->words + j * b->panel;
        const uint32_t count = sfi_min_u32(some * SFI_PANEL, t->count - j * SFI_PANEL);
        if (t->split)
            t->kernels->grid_split(b, plane, grid, &rows, count, y + j * SFI_PANEL);
        else
            kernel(b, grid, &rows, count, y + j * SFI_PANEL);
    }
}

/* The sums of all rows in int32: every row is proven to stay inside (sfi_rows_prepare), or is one of bytes. */
static void multiply_rows(const sfi_host_tile* t, sfi_block* b, const sfi_eight* eight, int32_t* acc)
{
    const uint32_t panels = (t->count + SFI_PANEL - 1) / SFI_PANEL;
    for (uint32_t j = 0, some; j < panels; j += some) {
        some = next_panels(panels - j);
        b->words = t->words + j * b->panel;
        (t->bytes ? t->kernels->bytes : t->kernels->dot)(b, eight->patches, some, acc + j * SFI_PANEL, t->capacity);
    }
}

/* Sums of weights in two planes, without the surplus, as int32 (modulo 2^32) or int64. */
static void multiply_split(const sfi_host_tile* t, sfi_block* b, const sfi_eight* eight, int narrow)
{
    const uint32_t panels = (t->count + SFI_PANEL - 1) / SFI_PANEL;
    int32_t upper[SFI_BLOCK_PATCHES][SFI_BLOCK_PANELS * SFI_PANEL],
        lower[SFI_BLOCK_PATCHES][SFI_BLOCK_PANELS * SFI_PANEL];
    int32_t* sums[2] = {upper[0], lower[0]};
    for (uint32_t j = 0, some; j < panels; j += some) {
        some = next_panels(panels - j);
        b->words = t->words + j * b->panel;
        t->kernels->split(b, sfi_host_plane_words(t), eight->patches, some, sums, SFI_BLOCK_PANELS * SFI_PANEL);
        for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++)
            for (uint32_t r = 0; r < some * SFI_PANEL; r++) {
                const int64_t sum = 256 * (int64_t)upper[p][r] + lower[p][r];
                const size_t at = (size_t)p * t->capacity + j * SFI_PANEL + r;
                if (narrow)
                    ((int32_t*)t->acc)[at] = (int32_t)(uint32_t)(uint64_t)sum;
                else
                    ((int64_t*)t->acc)[at] = sum - t->packed_rows->surplus[j * SFI_PANEL + r];
            }
    }
}

static void multiply_narrow(const sfi_host_tile* t, sfi_block* b, const sfi_eight* eight, void* y)
{
    int32_t* acc = (int32_t*)t->acc;
    if (t->split)
        multiply_split(t, b, eight, 1);
    else
        multiply_rows(t, b, eight, acc);
    t->kernels->rows(&t->rows, acc, t->capacity, t->count, eight->count, y, eight->at);
}

SFI_CLONES
static void add_parts(int64_t* acc, const int32_t* part, uint32_t capacity)
{
    for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++)
        for (uint32_t r = 0; r < SFI_PANEL; r++)
            acc[(size_t)p * capacity + r] += part[p * SFI_PANEL + r];
}

/* At most SFI_BLOCK products in int32 (256 * 32768 * 255 < 2^31; contract, section 3), summed in int64. */
static void add_panel(const sfi_host_tile* t, const int16_t* const* patches, const int16_t* words, int64_t* acc)
{
    const int16_t* from[SFI_BLOCK_PATCHES];
    int32_t part[SFI_BLOCK_PATCHES * SFI_PANEL];
    const uint32_t most = SFI_BLOCK / 2, together = sfi_max_u32(1, most / t->pairs);
    for (uint32_t s = 0; s < t->segments; s += together)
        for (uint32_t k = 0; k < t->pairs; k += most) {
            const sfi_block b = {words + ((size_t)s * t->pairs + k) * 2 * SFI_PANEL, 0, t->offsets + s,
                                 sfi_min_u32(together, t->segments - s), sfi_min_u32(most, t->pairs - k)};
            for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++)
                from[p] = patches[p] + 2 * (size_t)k;
            t->kernels->dot(&b, from, 1, part, SFI_PANEL);
            add_parts(acc, part, t->capacity);
        }
}

/* Sums of bytes fit into int32 whatever the row (SFI_BYTE_PRODUCTS); widened in place, from the last to the first. */
static void widen_sums(const sfi_host_tile* t, sfi_block* b, const sfi_eight* eight, int64_t* acc)
{
    multiply_rows(t, b, eight, (int32_t*)t->acc);
    for (size_t p = SFI_BLOCK_PATCHES; p-- > 0;)
        for (size_t r = t->count; r-- > 0;) {
            int32_t sum;
            sfi_copy(&sum, (const uint8_t*)t->acc + (p * t->capacity + r) * sizeof sum, sizeof sum);
            const int64_t wide = (int64_t)sum - t->packed_rows->surplus[r];
            sfi_copy(acc + p * t->capacity + r, &wide, sizeof wide);
        }
}

static void add_panels(const sfi_host_tile* t, const sfi_block* b, const int16_t* const* patches, int64_t* acc)
{
    for (uint32_t row = 0; row < t->count; row += SFI_PANEL)
        add_panel(t, patches, t->words + row / SFI_PANEL * b->panel, acc + row);
}

/* Sums with the low bytes of the inputs join 256 times those with the high ones. */
static void add_low(const sfi_host_tile* t, const sfi_block* b, const sfi_eight* eight, int64_t* acc)
{
    const int16_t* low[SFI_BLOCK_PATCHES];
    for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++)
        low[p] = eight->patches[p] + t->low;
    for (size_t i = 0; i < (size_t)SFI_BLOCK_PATCHES * t->capacity; i++)
        acc[i] *= 256;
    add_panels(t, b, low, acc);
}

static void multiply_wide(const sfi_host_tile* t, sfi_block* b, const sfi_eight* eight, void* y)
{
    int64_t* acc = (int64_t*)t->acc;
    if (t->split) {
        multiply_split(t, b, eight, 0);
    } else if (t->bytes) {
        widen_sums(t, b, eight, acc);
    } else {
        sfi_fill(acc, 0, (size_t)SFI_BLOCK_PATCHES * t->capacity * sizeof *acc);
        add_panels(t, b, eight->patches, acc);
        if (t->low != 0)
            add_low(t, b, eight, acc);
    }
    for (uint32_t p = 0; p < eight->count; p++)
        sfi_rows_wide(&t->rows, acc + (size_t)p * t->capacity, t->capacity, t->count, 1, y, eight->at[p], 0);
}

/* Rows as they are. */
static void multiply_plain(const sfi_host_tile* t, const sfi_grid* grid, void* y)
{
    sfi_block b = {t->words, sfi_host_panel_words(t), t->offsets, t->segments, t->pairs};
    sfi_cursor cursor = sfi_grid_start(grid);
    sfi_eight eight;
    if (t->rows.fused && t->low == 0 && (t->bytes ? t->kernels->grid_bytes : t->kernels->grid_dot) != NULL)
        multiply_fused(t, &b, grid, (int8_t*)y);
    else
        while (sfi_grid_next(&cursor, &eight)) {
            if (t->rows.narrow && t->low == 0)
                multiply_narrow(t, &b, &eight, y);
            else
                multiply_wide(t, &b, &eight, y);
        }
}

/* Panels first .. end-1 of a tile as a tile. */
static sfi_host_tile some_panels(const sfi_host_tile* t, uint32_t first, uint32_t end)
{
    sfi_host_tile part = *t;
    part.words += first * sfi_host_panel_words(t);
    part.rows = sfi_rows_from(&t->rows, first * SFI_PANEL);
    part.count = sfi_min_u32(end * SFI_PANEL, t->count) - first * SFI_PANEL;
    return part;
}

void sfi_host_tile_multiply(const sfi_host_tile* t, const sfi_grid* grid, void* y)
{
    const uint8_t* transformed = t->packed_rows->transformed;
    const uint32_t panels = (t->count + SFI_PANEL - 1) / SFI_PANEL;
    if (!t->winograd) {
        multiply_plain(t, grid, y);
        return;
    }
    for (uint32_t first = 0, end; first < panels; first = end) {
        for (end = first + 1; end < panels && transformed[end] == transformed[first];)
            end++;
        const sfi_host_tile part = some_panels(t, first, end);
        sfi_grid rest = *grid;
        rest.at += first * SFI_PANEL;
        if (transformed[first])
            sfi_winograd_multiply(&part, &rest, y);
        else
            multiply_plain(&part, &rest, y);
    }
}
