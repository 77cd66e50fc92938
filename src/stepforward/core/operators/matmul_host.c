/* Products of two activations on a host: the columns of the second matrix lie in panels as rows of weights do, and the
 * rows of the first are the patches that they are multiplied with. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/host/kernels.h"
#include "multiply/host/layouts/layouts.h"
#include "multiply/host/packed_rows.h"
#include "multiply/host/plain/plain.h"
#include "multiply/rows.h"
#include "operators/matmul.h"
#include "stepforward.h"

#define MOST_COLUMNS (SFI_BLOCK_PANELS * SFI_PANEL)

/* Working memory of one product. */
typedef struct room {
    sfi_rows rows;
    int16_t* words; /* of the second matrix: [panel][pair][SFI_PANEL][2] */
    int16_t* band;  /* the first matrix; rows of whole pairs */
    int16_t* line;  /* a panel's columns */
    uint32_t columns, pairs;
} room;

static uint32_t whole(size_t count, uint32_t of) { return (uint32_t)((count + of - 1) / of * of); }

uint64_t sfi_matmul_host_bytes(const sfi_matrices* s)
{
    const uint64_t columns = whole(s->width, SFI_PANEL), length = whole(s->length, 2);
    return sfi_rows_bytes((uint32_t)columns) + (columns + s->height + SFI_PANEL) * length * sizeof(int16_t);
}

static int64_t largest(const sf_tensor* t)
{
    const int32_t low = 128 + t->zero_point, high = 127 - t->zero_point;
    return t->dtype == SF_S16 ? 32768 : low > high ? low : high;
}

/* Every column has the same scale and no bias. */
static room room_of(const sfi_call* call, const sfi_matrices* s)
{
    const sf_tensor *a = call->in, *b = sfi_input(call->pass->program, call->op, 1);
    room m;
    m.columns = whole(s->width, SFI_PANEL);
    m.pairs = whole(s->length, 2) / 2;
    m.words = (int16_t*)(void*)sfi_rows_carve(&m.rows, (uint8_t*)call->work, m.columns);
    m.band = m.words + (size_t)m.columns * 2 * m.pairs;
    m.line = m.band + s->height * 2 * m.pairs;
    for (uint32_t r = 0; r < m.columns; r++) {
        m.rows.bias[r] = 0;
        m.rows.reach[r] = (int64_t)s->length * largest(a) * largest(b);
    }
    sfi_rows_scale(&m.rows, call, 0, m.columns, 1);
    return m;
}

/* The rows of the first matrix, without its zero point. */
static void widen_first(const sfi_call* call, const sfi_matrices* s, const room* m, size_t place)
{
    for (size_t i = 0; i < s->height; i++) {
        const size_t at = (place * s->height + i) * s->length;
        int16_t* to = m->band + i * 2 * m->pairs;
        if (call->in->dtype == SF_S16)
            sfi_copy(to, (const int16_t*)call->x + at, s->length * sizeof *to);
        else
            sfi_widen((const int8_t*)call->x + at, (int32_t)s->length, call->in->zero_point, to);
        if (s->length & 1u)
            to[s->length] = 0;
    }
}

/* One panel of a matrix that lies by its columns. */
static void pack_columns(const int8_t* b, const sfi_matrices* s, const room* m, uint32_t columns, int32_t zero,
                         int16_t* words)
{
    const size_t length = 2 * (size_t)m->pairs;
    sfi_fill(m->line, 0, SFI_PANEL * length * sizeof *m->line);
    for (uint32_t r = 0; r < columns; r++)
        sfi_widen(b + r * s->length, (int32_t)s->length, zero, m->line + r * length);
    sfi_pack_pairs(m->line, length, m->pairs, words);
}

/* One panel of a matrix that lies by its rows. */
static void pack_rows(const sfi_kernels* kernels, const int8_t* b, const sfi_matrices* s, const room* m,
                      uint32_t columns, int32_t zero, int16_t* words)
{
    if (columns < SFI_PANEL || (s->length & 1u))
        sfi_fill(words, 0, (size_t)m->pairs * 2 * SFI_PANEL * sizeof *words);
    for (size_t k = 0; k + 1 < s->length; k += 2)
        kernels->interleave(b + k * s->width, b + (k + 1) * s->width, columns, zero, words + k * SFI_PANEL);
    if (s->length & 1u)
        for (uint32_t r = 0; r < columns; r++)
            words[(s->length - 1) * SFI_PANEL + 2 * r] = (int16_t)(b[(s->length - 1) * s->width + r] - zero);
}

static void pack_second(const sfi_call* call, const sfi_matrices* s, const room* m, size_t place, int32_t zero)
{
    const int8_t* b = (const int8_t*)call->inputs[1] + place * s->length * s->width;
    for (size_t r = 0; r < s->width; r += SFI_PANEL) {
        const uint32_t columns = sfi_min_u32(SFI_PANEL, (uint32_t)(s->width - r));
        int16_t* words = m->words + r * 2 * m->pairs;
        if (s->transposed)
            pack_columns(b + r * s->length, s, m, columns, zero, words);
        else
            pack_rows(call->pass->kernels, b + r, s, m, columns, zero, words);
    }
}

/* The sums of eight rows and `count` columns, exact, and what they become. */
static void narrow(const sfi_call* call, const sfi_block* block, const sfi_eight* eight, const sfi_rows* rows,
                   uint32_t first, uint32_t count)
{
    const sfi_kernels* kernels = call->pass->kernels;
    int32_t acc[SFI_BLOCK_PATCHES * MOST_COLUMNS];
    size_t at[SFI_BLOCK_PATCHES];
    kernels->dot(block, eight->patches, whole(count, SFI_PANEL) / SFI_PANEL, acc, MOST_COLUMNS);
    for (uint32_t p = 0; p < eight->count; p++)
        at[p] = eight->at[p] + first;
    kernels->rows(rows, acc, MOST_COLUMNS, count, eight->count, call->y, at);
}

/* At most SFI_BLOCK products in int32 (256 * 32768 * 255 < 2^31), summed in int64. */
static void wide(const sfi_call* call, const sfi_block* block, const sfi_eight* eight, const sfi_rows* rows,
                 uint32_t first, uint32_t count)
{
    int64_t sums[SFI_BLOCK_PATCHES * SFI_PANEL];
    int32_t part[SFI_BLOCK_PATCHES * SFI_PANEL];
    for (uint32_t r = 0; r < count; r += SFI_PANEL) {
        const sfi_rows own = sfi_rows_from(rows, r);
        sfi_fill(sums, 0, sizeof sums);
        for (size_t k = 0; k < block->pairs; k += SFI_BLOCK / 2) {
            const int16_t* patches[SFI_BLOCK_PATCHES];
            const sfi_block b = {block->words + r / SFI_PANEL * block->panel + k * 2 * SFI_PANEL, block->panel,
                                 block->offsets, 1, sfi_min_u32(SFI_BLOCK / 2, (uint32_t)(block->pairs - k))};
            for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++)
                patches[p] = eight->patches[p] + 2 * k;
            call->pass->kernels->dot(&b, patches, 1, part, SFI_PANEL);
            for (uint32_t i = 0; i < SFI_BLOCK_PATCHES * SFI_PANEL; i++)
                sums[i] += part[i];
        }
        for (uint32_t p = 0; p < eight->count; p++)
            sfi_rows_wide(&own, sums + p * SFI_PANEL, SFI_PANEL, sfi_min_u32(SFI_PANEL, count - r), 1, call->y,
                          eight->at[p] + first + r, 0);
    }
}

/* Columns first .. first+count-1 of one product. */
static void multiply(const sfi_call* call, const sfi_grid* grid, const room* m, uint32_t first, uint32_t count)
{
    const size_t start = 0, panel = (size_t)m->pairs * 2 * SFI_PANEL;
    const sfi_block block = {m->words + first / SFI_PANEL * panel, panel, &start, 1, m->pairs};
    const sfi_rows rows = sfi_rows_from(&m->rows, first);
    if (rows.fused && call->pass->kernels->grid_dot != NULL) {
        call->pass->kernels->grid_dot(&block, grid, &rows, count, (int8_t*)call->y + first);
        return;
    }
    sfi_cursor cursor = sfi_grid_start(grid);
    sfi_eight eight;
    while (sfi_grid_next(&cursor, &eight))
        (rows.narrow ? narrow : wide)(call, &block, &eight, &rows, first, count);
}

void sfi_matmul_host(const sfi_call* call, const sfi_matrices* s, size_t places, int32_t zero_b)
{
    const room m = room_of(call, s);
    for (size_t place = 0; place < places; place++) {
        const sfi_grid grid = {(uint32_t)s->height,          1,        m.band, 2 * (size_t)m.pairs, 0,
                               place * s->height * s->width, s->width, 0};
        widen_first(call, s, &m, place);
        pack_second(call, s, &m, place, zero_b);
        for (uint32_t r = 0; r < s->width; r += MOST_COLUMNS)
            multiply(call, &grid, &m, r, sfi_min_u32(MOST_COLUMNS, (uint32_t)s->width - r));
    }
}
