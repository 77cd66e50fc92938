/* Convolution in bands on a host. No patch is gathered. */
#include "base/guard.h"
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/bands.h"
#include "multiply/host/block.h"
#include "multiply/host/gathered.h"
#include "multiply/host/grid.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/kernels.h"
#include "multiply/host/packed_rows.h"
#include "multiply/host/winograd.h"
#include "stepforward_host.h"

void sfi_bands_rows_only(sfi_bands* g, uint32_t rows, uint32_t length)
{
    g->samples = 1;
    g->in_h = g->out_h = rows;
    g->in_w = g->out_w = g->width = 1;
    g->in_c = g->group_in = length;
    g->stride_h = g->stride_w = g->dilation_h = g->dilation_w = g->kernel_h = g->kernel_w = g->joined = 1;
    g->pad_top = g->pad_left = 0;
}

static uint32_t suits_winograd(const sfi_bands* g, uint32_t rows)
{
    return sf_winograd_suits(g->kernel_h, g->kernel_w, g->stride_h, g->stride_w, g->dilation_h, g->dilation_w,
                             g->group_in, rows, g->out_h, g->out_w);
}

static uint64_t tiles_of(const sfi_bands* g, uint32_t side)
{
    return (uint64_t)((g->out_w + side - 1) / side) * ((g->out_h + side - 1) / side);
}

/* Whether large tiles save a tenth of the products of small ones. */
static int suits_large_tiles(const sfi_bands* g, const sfi_kernels* kernels)
{
    return kernels->large != NULL && g->group_in % 16 == 0 && g->group_in <= SFI_LARGE_CHANNELS &&
           10 * SFI_LARGE_POINTS * tiles_of(g, SFI_LARGE) <= 9 * 16 * tiles_of(g, SFI_SMALL);
}

/* Patches must begin with a word of the band. Two planes of bytes take longer to pack than a word, which where a weight
 * is seldom used shows in training. */
void sfi_bands_choose(sfi_bands* g, const sfi_kernels* kernels, const sf_tensor* in, const sf_tensor* weight,
                      uint32_t rows, uint32_t positions)
{
    const uint64_t products = (uint64_t)g->kernel_h * g->kernel_w * g->group_in;
    const int wide = weight->dtype == SF_S16, often = positions > SFI_BLOCK_PATCHES;
    g->size = in->dtype == SF_S16 ? 2 : 1;
    g->gathered = !wide && often && kernels->split != NULL && sfi_gathered_suits(g, rows) ? sfi_gathered_step(g) : 0;
    g->bytes = g->gathered > 0 || (g->size == 1 && g->group_in % 2 == 0 &&
                                   (wide ? often && kernels->split != NULL : kernels->bytes != NULL) &&
                                   products <= (wide ? SFI_SPLIT_PRODUCTS : SFI_BYTE_PRODUCTS));
    g->split = g->bytes && wide;
    g->flip = g->bytes ? kernels->byte_flip : 0;
    g->winograd = g->bytes || g->size != 1 || !suits_winograd(g, rows)       ? 0
                  : weight->dtype != SF_S16 && suits_large_tiles(g, kernels) ? SFI_LARGE
                                                                             : SFI_SMALL;
}

static uint32_t segments(const sfi_bands* g)
{
    return g->gathered ? 1 : g->joined ? g->kernel_h : g->kernel_h * g->kernel_w;
}

static uint32_t segment(const sfi_bands* g)
{
    return g->gathered ? sfi_gathered_length(g) : g->joined ? g->kernel_w * g->group_in : g->group_in;
}

static sfi_host_shape shape(const sfi_bands* g, uint32_t rows)
{
    const sfi_host_shape s = {rows, segments(g), segment(g), g->bytes, g->split, g->winograd};
    return s;
}

/* Words of 16 bits that some elements of the band take. */
static uint64_t words(const sfi_bands* g, uint64_t elements) { return g->bytes ? elements / 2 : elements; }

static size_t element_bytes(const sfi_bands* g) { return g->bytes ? 1 : sizeof(int16_t); }

/* A row of the input with its padding. */
static size_t line_bytes(const sfi_bands* g) { return (size_t)g->width * g->group_in * element_bytes(g); }

/* From one row of the band to the next, and from one position's patch to the next. */
static uint64_t line_words(const sfi_bands* g)
{
    return (g->gathered ? (uint64_t)g->out_w * g->gathered : line_bytes(g)) / sizeof(int16_t);
}

static size_t patch_words(const sfi_bands* g)
{
    return (size_t)words(g, g->gathered ? g->gathered : (uint64_t)g->stride_w * g->group_in);
}

/* Rows of the band from one row of outputs to the next. */
static uint32_t stride_rows(const sfi_bands* g) { return g->gathered ? 1 : g->stride_h; }

/* Input rows under `rows` output rows, and those of the band. */
static uint32_t in_rows(const sfi_bands* g, uint32_t rows)
{
    return (rows - 1) * g->stride_h + (g->kernel_h - 1) * g->dilation_h + 1;
}

static uint32_t rows_of_band(const sfi_bands* g, uint32_t rows) { return g->gathered ? rows : in_rows(g, rows); }

/* Elements of the positions that would follow the last: the last tile of a row may read them. */
static size_t beyond(const sfi_bands* g) { return g->winograd ? (size_t)(g->winograd - 1) * g->group_in : 0; }

static uint32_t whole_tiles(const sfi_bands* g, uint32_t rows)
{
    return g->winograd ? (rows + g->winograd - 1) / g->winograd * g->winograd : rows;
}

/* Output rows of a band: as many as SFI_BAND_BYTES hold the input of, at least one; whole rows of
 * Winograd's tiles. */
static uint32_t band_rows(const sfi_bands* g)
{
    const uint64_t lines = SFI_BAND_BYTES / (line_words(g) * sizeof(int16_t)), first = rows_of_band(g, 1);
    const uint32_t rows = lines <= first ? 1 : (uint32_t)((lines - first) / stride_rows(g) + 1);
    return whole_tiles(g, rows);
}

/* The band, and what is read beyond it and does not count: the end of a segment that is filled up to pairs or fours,
 * and with Winograd's tiles the positions that would follow the last. */
static uint64_t one_band_bytes(const sfi_bands* g)
{
    const uint64_t least = rows_of_band(g, band_rows(g)) * line_words(g) * sizeof(int16_t);
    return (least > SFI_BAND_BYTES ? least : SFI_BAND_BYTES) + beyond(g) * sizeof(int16_t) + 64;
}

/* With the input rows that patches are gathered from. */
static uint64_t band_bytes(const sfi_bands* g)
{
    const uint64_t lines = g->gathered ? (uint64_t)in_rows(g, band_rows(g)) * line_bytes(g) + SFI_GATHERED_BEYOND : 0;
    return g->size * one_band_bytes(g) + lines;
}

/* Words from a place in the band of high bytes to the same place in that of low bytes. */
static size_t to_low(const sfi_bands* g) { return (size_t)one_band_bytes(g) / sizeof(int16_t); }

uint64_t sfi_bands_bytes(const sfi_bands* g, uint32_t row_tile, uint32_t rows)
{
    const sfi_host_shape of = shape(g, rows);
    return sfi_host_tile_bytes(row_tile, &of) + band_bytes(g) + SFI_GAP;
}

/* x = 256 * high + low, -128 <= high < 128, 0 <= low < 256. */
SFI_INLINE void put_words(const sfi_bands* g, const int16_t* x, size_t count, int16_t* band)
{
    int16_t* low = band + to_low(g);
    for (size_t i = 0; i < count; i++) {
        band[i] = (int16_t)(x[i] >> 8);
        low[i] = (int16_t)(x[i] & 255);
    }
}

/* `count` elements of the input. */
SFI_INLINE void put(const sfi_bands* g, const int8_t* x, size_t count, uint8_t* band)
{
    if (g->size == 2)
        put_words(g, (const int16_t*)(const void*)x, count, (int16_t*)(void*)band);
    else if (!g->bytes)
        sfi_widen(x, (int32_t)count, g->zero, (int16_t*)(void*)band);
    else if (g->flip == 0)
        sfi_copy(band, x, count);
    else
        for (size_t i = 0; i < count; i++)
            band[i] = (uint8_t)x[i] ^ 128u;
}

/* `count` elements of padding: x - zero is 0. */
SFI_INLINE void put_padding(const sfi_bands* g, size_t count, uint8_t* band)
{
    if (g->bytes)
        sfi_fill(band, (int32_t)((uint8_t)g->zero ^ g->flip), count);
    else
        sfi_fill(band, 0, count * sizeof(int16_t));
    if (g->size == 2)
        sfi_fill(band + to_low(g) * sizeof(int16_t), 0, count * sizeof(int16_t));
}

/* Columns of one input row, from -pad_left on. line: the first channel of the group. fresh: with padding. */
SFI_INLINE void put_line(const sfi_bands* g, const int8_t* line, int fresh, uint8_t* out)
{
    const uint32_t c = g->group_in, left = sfi_min_u32((uint32_t)g->pad_left, g->width),
                   inside = sfi_min_u32(g->width - left, g->in_w);
    const size_t column = c * element_bytes(g);
    if (fresh)
        put_padding(g, (size_t)left * c, out);
    if (c == g->in_c)
        put(g, line, (size_t)inside * c, out + left * column);
    else
        for (uint32_t i = 0; i < inside; i++)
            put(g, line + (size_t)i * g->in_c * g->size, c, out + (left + i) * column);
    if (fresh)
        put_padding(g, (size_t)(g->width - left - inside) * c, out + (left + inside) * column);
}

/* The input rows under output rows oy .. oy+rows-1 of one sample. fresh: with padding, which may be there from another
 * sample. */
SFI_CLONES
static void put_lines(const sfi_bands* g, const int8_t* x, uint32_t oy, uint32_t rows, int fresh, uint8_t* band)
{
    const size_t line = (size_t)g->width * g->group_in, step = line_bytes(g), from = (size_t)g->in_w * g->in_c;
    const int64_t top = (int64_t)oy * g->stride_h - g->pad_top, end = top + in_rows(g, rows);
    const int64_t first = top >= 0 ? top : end > 0 ? 0 : end, inside = end < g->in_h ? end : g->in_h;
    const int64_t last =
        inside > first ? inside : first; /* rows from first to before last lie inside the image; maybe none */
    if (fresh && first > top)
        put_padding(g, (size_t)(first - top) * line, band);
    band += (size_t)(first - top) * step;
    if (g->group_in == g->in_c && line == from && g->pad_left == 0 && first < last) {
        put(g, x + (size_t)first * from * g->size, (size_t)(last - first) * from, band);
        band += (size_t)(last - first) * step;
    } else {
        for (int64_t y = first; y < last; y++, band += step)
            put_line(g, x + (size_t)y * from * g->size, fresh, band);
    }
    if (fresh && last < end)
        put_padding(g, (size_t)(end - last) * line, band);
    sfi_fill(band + (size_t)(end - last) * step, 0, beyond(g) * sizeof(int16_t));
}

/* What patches are read from. */
static void put_band(const sfi_bands* g, const int8_t* x, uint32_t oy, uint32_t rows, int fresh, int16_t* band)
{
    uint8_t* lines = (uint8_t*)band + (g->gathered ? one_band_bytes(g) : 0);
    put_lines(g, x, oy, rows, fresh, lines);
    if (g->gathered)
        sfi_gathered_put(g, lines, rows, (uint8_t*)band);
}

/* All positions of a band. at: the first position's first output. */
static void run_band(const sfi_bands* g, const sfi_host_tile* tile, uint32_t rows, const int16_t* band, void* y,
                     size_t at, size_t step)
{
    const size_t down = (size_t)(stride_rows(g) * line_words(g));
    sfi_grid grid = {g->out_w, rows, band, patch_words(g), down, at, step, step * g->out_w};
    if (grid.down == grid.width * grid.across) { /* rows that follow each other are one row */
        grid.width *= rows;
        grid.rows = 1;
    }
    if (g->out_w == 1) { /* a column is as good as a row, and rows are cheaper to walk along */
        grid.width = rows;
        grid.rows = 1;
        grid.across = grid.down;
        grid.out_across = grid.out_down;
    }
    sfi_host_tile_multiply(tile, &grid, y);
}

/* Rows of a tile, of `rows` in all. Packed ones are what is multiplied together, so that threads share their packing
 * evenly: up to three panels, about the same number in each. */
static uint32_t tile_rows(uint32_t row_tile, int packed, uint32_t rows)
{
    const uint32_t panels = (rows + SFI_PANEL - 1) / SFI_PANEL,
                   tiles = (panels + SFI_BLOCK_PANELS - 1) / SFI_BLOCK_PANELS;
    return packed ? sfi_min_u32(row_tile, (panels + tiles - 1) / tiles * SFI_PANEL) : row_tile;
}

sfi_packing sfi_bands_packing(const sfi_bands* g, uint32_t row_tile, uint32_t groups, uint32_t out_c)
{
    const uint32_t rows = out_c / groups, packed = tile_rows(row_tile, 1, rows), most = sfi_min_u32(packed, rows);
    const sfi_host_shape of = shape(g, rows);
    sfi_packing p;
    p.tiles = groups * ((rows + most - 1) / most);
    p.tile_bytes = sfi_host_tile_packed_bytes(packed, &of);
    return p;
}

static int16_t* open_tile(sfi_host_tile* tile, const sfi_bands* g, const sfi_call* call, uint32_t rows)
{
    const size_t line = (size_t)line_words(g), column = (size_t)words(g, g->group_in);
    const sfi_host_shape of = shape(g, rows);
    uint8_t* end = sfi_host_tile_open(tile, call->pass->kernels, call->work,
                                      tile_rows(call->row_tile, call->packed != NULL, rows), &of);
    tile->low = g->size == 2 ? to_low(g) : 0;
    for (uint32_t s = 0; s < segments(g); s++)
        tile->offsets[s] = g->joined
                               ? s * g->dilation_h * line
                               : s / g->kernel_w * g->dilation_h * line + s % g->kernel_w * g->dilation_w * column;
    return sfi_room(&end, band_bytes(g));
}

void sfi_bands_pack(const sfi_bands* g, const sfi_call* call, const sfi_call* twin, uint32_t groups, uint32_t out_c,
                    uint32_t index)
{
    const uint32_t rows = out_c / groups;
    const sfi_packing p = sfi_bands_packing(g, call->row_tile, groups, out_c);
    const uint32_t tiles = p.tiles / groups, group = index / tiles;
    sfi_host_tile tile, other;
    open_tile(&tile, g, call, rows);
    other = tile;
    const uint32_t first = index % tiles * tile.capacity, count = sfi_min_u32(tile.capacity, rows - first);
    sfi_host_tile_point(&tile, call->packed + index * p.tile_bytes);
    if (twin != NULL)
        sfi_host_tile_point(&other, twin->packed + index * p.tile_bytes);
    if (!call->words_kept)
        sfi_host_tile_pack(&tile, call, group * rows + first, count, twin != NULL ? &other : NULL);
    sfi_packed_rows_prepare(tile.packed_rows, twin != NULL ? other.packed_rows : NULL, call, group * rows + first);
}

/* Rows of one group and where they lie packed, tile after tile. */
typedef struct stretch {
    uint32_t group, first, end;
    uint8_t* packed;
    uint64_t tile_bytes;
} stretch;

/* All samples: a band is widened once for all tiles. */
static void run_stretch(const sfi_bands* g, const sfi_call* call, sfi_host_tile* tile, int16_t* band,
                        const stretch* rows, uint32_t out_c)
{
    const uint32_t most = band_rows(g);
    const int8_t* x = (const int8_t*)call->x + (size_t)rows->group * g->group_in * g->size;
    size_t at = 0;
    for (uint32_t s = 0; s < g->samples; s++, x += (size_t)g->in_h * g->in_w * g->in_c * g->size)
        for (uint32_t oy = 0, some; oy < g->out_h; oy += some, at += (size_t)some * g->out_w * out_c) {
            uint8_t* packed = rows->packed;
            some = sfi_min_u32(most, g->out_h - oy);
            put_band(g, x, oy, whole_tiles(g, some), s == 0 || some < g->out_h, band);
            for (uint32_t row = rows->first; row < rows->end; row += tile->count, packed += rows->tile_bytes) {
                sfi_host_tile_select(tile, packed);
                run_band(g, tile, some, band, call->y, at + row, out_c);
            }
        }
}

static void run_groups(const sfi_bands* g, const sfi_call* call, sfi_host_tile* tile, int16_t* band, uint32_t groups,
                       uint32_t out_c)
{
    const uint32_t rows = out_c / groups;
    const sfi_packing p = sfi_bands_packing(g, call->row_tile, groups, out_c);
    for (uint32_t group = 0; group < groups; group++) {
        stretch all = {group, group * rows, (group + 1) * rows, call->packed, p.tile_bytes};
        if (call->packed != NULL) {
            all.packed += group * (p.tiles / groups) * p.tile_bytes;
            run_stretch(g, call, tile, band, &all, out_c);
            continue;
        }
        for (stretch one = all; one.first < all.end; one.first = one.end) {
            one.end = sfi_min_u32(one.first + tile->capacity, all.end);
            one.packed = (uint8_t*)call->work;
            sfi_host_tile_pack(tile, call, one.first, one.end - one.first, NULL);
            sfi_packed_rows_prepare(tile->packed_rows, NULL, call, one.first);
            run_stretch(g, call, tile, band, &one, out_c);
        }
    }
}

void sfi_bands_run(const sfi_bands* g, const sfi_call* call, uint32_t groups, uint32_t out_c)
{
    const sfi_kernels* kernels = call->pass->kernels;
    const int shaped = g->bytes && kernels->begin != NULL;
    sfi_host_tile tile;
    int16_t* band = open_tile(&tile, g, call, out_c / groups);
    if (shaped)
        kernels->begin(tile.pairs);
    run_groups(g, call, &tile, band, groups, out_c);
    if (shaped)
        kernels->end();
}
