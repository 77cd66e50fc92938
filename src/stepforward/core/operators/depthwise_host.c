/* Depthwise convolution on a host. Two input rows lie side by side in the widened band, [row
 * pair][column][channel][2], so that one multiply-add takes two taps of sixteen channels. An output row that begins
 * with the second row of a pair has words of its own, with zeros in front; rows that begin alike are done together,
 * eight positions at a time whatever the width. Channels that do not fill panels are joined with those of the next
 * positions where the stride is one: a row of the band is then a run of elements without gaps, whose weights repeat.
 */
#include "base/guard.h"
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/host/kernels.h"
#include "multiply/host/packed_rows.h"
#include "multiply/rows.h"
#include "multiply/stage.h"
#include "operators/ways.h"
#include "stepforward.h"

typedef struct geometry {
    uint32_t in_h, in_w, out_h, out_w, channels;
    int32_t pad_top, pad_left;
    uint32_t stride_h, stride_w, dilation_w, kernel_h, kernel_w;
    uint32_t width;  /* columns of the band */
    uint32_t joined; /* neighbouring positions that are one position of joined * channels channels */
    uint32_t column; /* channels from a column of the band to the next */
    uint32_t taps;   /* pairs of taps: (kernel_h/2 + 1) * kernel_w hold a window from either row of a pair on */
    int32_t zero;
} geometry;

typedef struct tile {
    sfi_rows rows;
    int16_t* words;               /* [first row of the pair, or second][panel][tap pair][SFI_PANEL][2] */
    sfi_packed_rows* packed_rows; /* after the words */
    int16_t* line;                /* the weights as they are stored, [tap][channel of the tile] */
    int16_t* second;              /* those of a twin */
    int32_t* acc;                 /* [SFI_BLOCK_PATCHES][capacity] */
    size_t* offsets;              /* [tap pair] */
    /* channels rounded up to panels; what fills up may be anything, and nothing made of it is stored */
    int16_t* band;
    int8_t* blank; /* [capacity] zero points */
    uint32_t capacity, count;
    const sfi_kernels* kernels;
} tile;

static uint64_t cache_lines(uint64_t bytes) { return (bytes + 63) & ~(uint64_t)63; }

static uint32_t panels(uint32_t rows) { return (rows + SFI_PANEL - 1) / SFI_PANEL; }

/* Positions that fill panels without a gap, if that makes fewer panels in all. */
static uint32_t joined_positions(const geometry* g, uint32_t row_tile)
{
    uint32_t some = SFI_PANEL;
    while (some > 1 && some / 2 * g->channels % SFI_PANEL == 0)
        some /= 2;
    return g->stride_w == 1 && some * g->channels <= row_tile &&
                   (g->out_w + some - 1) / some * panels(some * g->channels) < g->out_w * panels(g->channels)
               ? some
               : 1;
}

static uint32_t tile_channels(uint32_t row_tile, uint32_t channels)
{
    return sfi_min_u32(row_tile, panels(channels) * SFI_PANEL);
}

static geometry make_geometry(const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const sf_tensor *in = sfi_input(program, op, 0), *out = sfi_output(program, op);
    const sfi_window* w = sfi_window_of(program, op);
    geometry g;
    g.in_h = (uint32_t)in->dims[0];
    g.in_w = (uint32_t)in->dims[1];
    g.channels = (uint32_t)in->dims[2];
    g.out_h = (uint32_t)out->dims[0];
    g.out_w = (uint32_t)out->dims[1];
    g.pad_top = w->pad_top;
    g.pad_left = w->pad_left;
    g.stride_h = (uint32_t)w->stride_h;
    g.stride_w = (uint32_t)w->stride_w;
    g.dilation_w = (uint32_t)w->dilation_w;
    g.kernel_h = (uint32_t)w->kernel_h;
    g.kernel_w = (uint32_t)w->kernel_w;
    g.joined = joined_positions(&g, row_tile);
    g.column = g.joined > 1 ? g.channels : tile_channels(row_tile, g.channels);
    g.width = ((g.out_w + g.joined - 1) / g.joined * g.joined - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
    g.taps = (g.kernel_h / 2 + 1) * g.kernel_w;
    g.zero = in->zero_point;
    return g;
}

static int applies(const sf_program* program, const sf_op* op) { return sfi_window_of(program, op)->dilation_h == 1; }

/* Row pairs under `rows` output rows; the last output row may begin with the second row of a pair. */
static uint32_t row_pairs(const geometry* g, uint32_t rows)
{
    return (rows - 1) * g->stride_h / 2 + g->kernel_h / 2 + 1;
}

static uint64_t pair_bytes(const geometry* g) { return (uint64_t)g->width * g->column * 2 * sizeof(int16_t); }

/* Output rows of a band: as many as SFI_BAND_BYTES hold the input of, at least one. */
static uint32_t band_rows(const geometry* g)
{
    const uint64_t pairs = SFI_BAND_BYTES / pair_bytes(g), first = row_pairs(g, 1);
    return pairs <= first ? 1 : (uint32_t)((pairs - first) * 2 / g->stride_h + 1);
}

static uint64_t band_bytes(const geometry* g)
{
    const uint64_t least = row_pairs(g, 1) * pair_bytes(g);
    return least > SFI_BAND_BYTES ? least : SFI_BAND_BYTES;
}

static uint64_t word_bytes(const geometry* g, uint32_t capacity)
{
    return (uint64_t)g->taps * capacity * 4 * sizeof(int16_t);
}

static uint64_t packed_bytes(const geometry* g, uint32_t capacity)
{
    return word_bytes(g, capacity) + SFI_GAP + sfi_packed_rows_bytes(capacity) + SFI_GAP;
}

static uint64_t line_bytes(const geometry* g, uint32_t capacity)
{
    return cache_lines((uint64_t)g->kernel_h * g->kernel_w * capacity * sizeof(int16_t));
}

static uint64_t acc_bytes(uint32_t capacity) { return SFI_BLOCK_PATCHES * (uint64_t)capacity * sizeof(int32_t); }

static uint64_t offset_bytes(const geometry* g) { return cache_lines(g->taps * sizeof(size_t)); }

#define ROOMS 7u /* of working memory, in open_tile() */

static uint64_t tile_bytes(const geometry* g, uint32_t capacity)
{
    return packed_bytes(g, capacity) + 2 * line_bytes(g, capacity) + acc_bytes(capacity) + offset_bytes(g) +
           band_bytes(g) + capacity + (uint64_t)ROOMS * SFI_GAP;
}

uint64_t sfi_depthwise_host_bytes(const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const geometry g = make_geometry(program, op, row_tile);
    return tile_bytes(&g, tile_channels(row_tile, g.joined * g.channels));
}

sfi_packing sfi_depthwise_host_packing(const sfi_kernels* kernels, const sf_program* program, const sf_op* op,
                                       uint32_t row_tile)
{
    (void)kernels;
    const geometry g = make_geometry(program, op, row_tile);
    const uint32_t capacity = tile_channels(row_tile, g.joined * g.channels);
    sfi_packing p;
    p.tiles = applies(program, op) ? (g.channels + capacity - 1) / capacity : 0;
    p.tile_bytes = packed_bytes(&g, capacity);
    return p;
}

static void point_tile(tile* t, const geometry* g, void* packed)
{
    t->words = (int16_t*)packed;
    t->packed_rows = (sfi_packed_rows*)(void*)((uint8_t*)packed + (size_t)word_bytes(g, t->capacity) + SFI_GAP);
}

/* Use what was packed there. */
static void select_tile(tile* t, const geometry* g, void* packed)
{
    point_tile(t, g, packed);
    t->rows = t->packed_rows->rows;
    t->count = t->packed_rows->count;
}

static void open_tile(tile* t, const geometry* g, const sfi_kernels* kernels, void* memory, uint32_t row_tile)
{
    uint8_t* at = (uint8_t*)memory;
    t->capacity = tile_channels(row_tile, g->joined * g->channels);
    point_tile(t, g, sfi_room(&at, packed_bytes(g, t->capacity)));
    t->line = sfi_room(&at, line_bytes(g, t->capacity));
    t->second = sfi_room(&at, line_bytes(g, t->capacity));
    t->acc = sfi_room(&at, acc_bytes(t->capacity));
    t->offsets = sfi_room(&at, offset_bytes(g));
    t->band = sfi_room(&at, band_bytes(g));
    t->blank = sfi_room(&at, t->capacity);
    for (uint32_t i = 0; i < g->taps; i++)
        t->offsets[i] = ((size_t)(i / g->kernel_w) * g->width + i % g->kernel_w * g->dilation_w) * g->column * 2;
    t->kernels = kernels;
}

/* Channels first .. first+count-1 of every tap, from t->line on; twin: NULL, or receives them perturbed the other way.
 */
static void read_lines(const tile* t, const geometry* g, const sfi_call* call, uint32_t first, uint32_t count,
                       int16_t* twin)
{
    const uint32_t taps = g->kernel_h * g->kernel_w, weight = (uint32_t)call->op->weight;
    if (count == g->channels) {
        sfi_stage_twins_s16(call->pass, weight, 0, taps * count, t->line, twin);
        return;
    }
    for (uint32_t tap = 0; tap < taps; tap++)
        sfi_stage_twins_s16(call->pass, weight, tap * g->channels + first, count, t->line + (size_t)tap * count,
                            twin != NULL ? twin + (size_t)tap * count : NULL);
}

/* A panel of two taps' channels, side by side. Apart, because GCC 12 makes vectors of it only there. */
__attribute__((noinline)) static void pair_up(const int16_t* restrict first, const int16_t* restrict second,
                                              int16_t* restrict out)
{
    for (uint32_t i = 0; i < SFI_PANEL; i++) {
        out[2 * i] = first[i];
        out[2 * i + 1] = second[i];
    }
}

/* The channels of a tap from channel c on; a tap outside the kernel is zero. */
static const int16_t* tap_at(const geometry* g, const int16_t* line, uint32_t count, uint32_t row, uint32_t kx,
                             uint32_t c)
{
    static const int16_t none[SFI_PANEL] = {0};
    return row < g->kernel_h ? line + (size_t)(row * g->kernel_w + kx) * count + c : none;
}

/* Pairs of taps for windows that begin with row `parity` of a pair. Channels of joined positions repeat those of the
 * first. */
static void pack_pairs(const tile* t, const geometry* g, const int16_t* line, uint32_t count, uint32_t parity)
{
    const uint32_t all = count * g->joined;
    int16_t* words = t->words + (size_t)parity * g->taps * t->capacity * 2;
    for (uint32_t tap = 0; tap < g->taps; tap++) {
        const uint32_t above = tap / g->kernel_w * 2 - parity, below = above + 1,
                       kx = tap % g->kernel_w; /* rows; may wrap */
        for (uint32_t c = 0; c < all; c += SFI_PANEL) {
            int16_t* out = words + ((size_t)(c / SFI_PANEL) * g->taps + tap) * SFI_PANEL * 2;
            if (c + SFI_PANEL <= count) {
                pair_up(tap_at(g, line, count, above, kx, c), tap_at(g, line, count, below, kx, c), out);
                continue;
            }
            for (uint32_t i = 0, from = c % count; i < SFI_PANEL && c + i < all; i++) {
                out[2 * i] = *tap_at(g, line, count, above, kx, from);
                out[2 * i + 1] = *tap_at(g, line, count, below, kx, from);
                from = from + 1 == count ? 0 : from + 1;
            }
        }
    }
}

static void pack_words(const tile* t, const geometry* g, const int16_t* line, uint32_t count)
{
    sfi_packed_rows* rows = t->packed_rows;
    int64_t sum[SFI_PANEL], positive[SFI_PANEL];
    uint8_t* at = (uint8_t*)t->words;
    sfi_room(&at, word_bytes(g, t->capacity));
    sfi_room(&at, sfi_packed_rows_bytes(t->capacity));
    sfi_packed_rows_open(rows, t->capacity, count);
    if (count * g->joined % SFI_PANEL != 0)
        sfi_fill(t->words, 0, (size_t)word_bytes(g, t->capacity));
    pack_pairs(t, g, line, count, 0);
    pack_pairs(t, g, line, count, 1);
    for (uint32_t c = 0; c < count; c++) {
        if (c % SFI_PANEL == 0)
            t->kernels->sums(t->words + (size_t)c * g->taps * 2, g->taps, sum, positive);
        rows->reach[c] = sfi_reach(positive[c % SFI_PANEL], positive[c % SFI_PANEL] - sum[c % SFI_PANEL], g->zero);
    }
}

/* Joined positions have the rows of the first one. */
static void join(const geometry* g, sfi_packed_rows* packed)
{
    sfi_rows* rows = &packed->rows;
    for (uint32_t c = packed->count; c < packed->count * g->joined; c++) {
        rows->bias[c] = rows->bias[c - packed->count];
        rows->mult[c] = rows->mult[c - packed->count];
        rows->half[c] = rows->half[c - packed->count];
        rows->shift[c] = rows->shift[c - packed->count];
    }
}

/* Packs channels first .. first+count-1 into the selected tile, and into a twin's. */
static void pack(tile* t, const geometry* g, const sfi_call* call, uint32_t first, uint32_t count, const tile* other)
{
    if (!call->words_kept) {
        int16_t* second = other != NULL ? t->second : NULL;
        read_lines(t, g, call, first, count, second);
        pack_words(t, g, t->line, count);
        if (other != NULL)
            pack_words(other, g, second, count);
    }
    sfi_packed_rows_prepare(t->packed_rows, other != NULL ? other->packed_rows : NULL, call, first);
    join(g, t->packed_rows);
    if (other != NULL)
        join(g, other->packed_rows);
}

void sfi_depthwise_host_pack(const sfi_call* call, const sfi_call* twin, uint32_t index)
{
    const geometry g = make_geometry(call->pass->program, call->op, call->row_tile);
    tile t, other;
    open_tile(&t, &g, call->pass->kernels, call->work, call->row_tile);
    other = t;
    const uint32_t first = index * t.capacity, count = sfi_min_u32(t.capacity, g.channels - first);
    const size_t at = (size_t)(index * packed_bytes(&g, t.capacity));
    point_tile(&t, &g, call->packed + at);
    if (twin != NULL)
        point_tile(&other, &g, twin->packed + at);
    pack(&t, &g, call, first, count, twin != NULL ? &other : NULL);
}

/* Row pairs from input row `top` on, channels of the tile; x: the tile's first channel in one sample. A row outside the
 * image reads the blank column everywhere. */
static void widen_band(const tile* t, const geometry* g, const int8_t* x, int64_t top, uint32_t pairs)
{
    const size_t line = (size_t)g->in_w * g->channels, column = (size_t)g->column * 2;
    const uint32_t left = sfi_min_u32((uint32_t)g->pad_left, g->width), inside = sfi_min_u32(g->width - left, g->in_w);
    const uint32_t right = g->width - left - inside;
    int16_t* out = t->band;
    for (uint32_t i = 0; i < pairs; i++, top += 2, out += right * column) {
        const int has_a = top >= 0 && top < g->in_h, has_b = top >= -1 && top + 1 < g->in_h;
        const int8_t* a = has_a ? x + (size_t)top * line : t->blank;
        const int8_t* b = has_b ? x + (size_t)(top + 1) * line : t->blank;
        if (left > 0)
            sfi_fill(out, 0, left * column * sizeof *out);
        out += left * column;
        if (has_a && has_b && g->column == g->channels) {
            t->kernels->interleave(a, b, inside * g->channels, g->zero, out);
            out += inside * column;
        } else {
            for (uint32_t c = 0; c < inside;
                 c++, out += column, a += has_a ? g->channels : 0, b += has_b ? g->channels : 0)
                t->kernels->interleave(a, b, t->count, g->zero, out);
        }
        if (right > 0)
            sfi_fill(out, 0, right * column * sizeof *out);
    }
}

/* The first `count` channels. Every row is proven to stay inside int32 (sfi_rows_prepare). */
static void multiply(const tile* t, const sfi_block* b, const sfi_grid* grid, uint32_t count, void* y)
{
    sfi_cursor cursor = sfi_grid_start(grid);
    sfi_eight eight;
    if (t->rows.fused && t->kernels->grid_window != NULL)
        t->kernels->grid_window(b, grid, &t->rows, count, (int8_t*)y);
    else
        while (sfi_grid_next(&cursor, &eight)) {
            t->kernels->window(b, eight.patches, panels(count), t->acc, t->capacity);
            t->kernels->rows(&t->rows, t->acc, t->capacity, count, eight.count, y, eight.at);
        }
}

/* `rows` output rows of a band, every `each`th from row `first` on: all begin with the same row of a pair. at: the
 * band's first output. */
static void run_rows(const tile* t, const geometry* g, uint32_t first, uint32_t each, uint32_t rows, void* y, size_t at)
{
    const size_t pair = (size_t)g->width * g->column * 2, line = (size_t)g->out_w * g->channels;
    const uint32_t parity = (first * g->stride_h) & 1u, rest = g->out_w % g->joined;
    const sfi_block b = {t->words + (size_t)parity * g->taps * t->capacity * 2, (size_t)g->taps * SFI_PANEL * 2,
                         t->offsets, (size_t)((g->kernel_h + parity + 1) / 2) * g->kernel_w, 1};
    sfi_grid grid = {g->out_w / g->joined,
                     rows,
                     t->band + (size_t)(first * g->stride_h / 2) * pair,
                     (size_t)g->joined * g->stride_w * g->column * 2,
                     (size_t)(each * g->stride_h / 2) * pair,
                     at + first * line,
                     (size_t)g->joined * g->channels,
                     each * line};
    if (grid.width > 0)
        multiply(t, &b, &grid, t->count * g->joined, y);
    if (rest > 0) { /* the end of every row */
        grid.patch += grid.width * grid.across;
        grid.at += grid.width * grid.out_across;
        grid.width = 1;
        multiply(t, &b, &grid, t->count * rest, y);
    }
}

static void run_tile(const tile* t, const geometry* g, const sfi_call* call, uint32_t first)
{
    const uint32_t most = band_rows(g);
    const int8_t* x = (const int8_t*)call->x + first;
    size_t at = first;
    for (uint32_t s = 0; s < call->n; s++, x += call->in->elements)
        for (uint32_t oy = 0, rows; oy < g->out_h; oy += rows, at += (size_t)rows * g->out_w * g->channels) {
            rows = sfi_min_u32(most, g->out_h - oy);
            widen_band(t, g, x, (int64_t)oy * g->stride_h - g->pad_top, row_pairs(g, rows));
            if (g->stride_h % 2 == 0) {
                run_rows(t, g, 0, 1, rows, call->y, at);
            } else {
                run_rows(t, g, 0, 2, (rows + 1) / 2, call->y, at);
                run_rows(t, g, 1, 2, rows / 2, call->y, at);
            }
        }
}

/* Returns 0, with nothing done, where this way does not apply: a dilation between rows, or sums beyond int32. */
int sfi_depthwise_host(const sfi_call* call)
{
    const geometry g = make_geometry(call->pass->program, call->op, call->row_tile);
    uint8_t* packed = call->packed;
    tile t;
    if (!applies(call->pass->program, call->op))
        return 0;
    open_tile(&t, &g, call->pass->kernels, call->work, call->row_tile);
    sfi_fill(t.blank, g.zero, t.capacity);
    for (uint32_t c = 0; c < g.channels; c += t.capacity) {
        if (packed == NULL)
            pack(&t, &g, call, c, sfi_min_u32(t.capacity, g.channels - c), NULL);
        select_tile(&t, &g, packed != NULL ? packed : (uint8_t*)call->work);
        if (!t.rows.narrow) {
            sfi_allow(call->work, (size_t)tile_bytes(&g, t.capacity));
            return 0;
        }
        run_tile(&t, &g, call, c);
        if (packed != NULL)
            packed += packed_bytes(&g, t.capacity);
    }
    return 1;
}
