/* Depthwise convolution on a host. Two input rows lie side by side in the widened picture, [row pair][column][channel][2], so that
 * one multiply-add takes two taps of sixteen channels. An output row that begins with the second row of a pair has words of its own,
 * with zeros in front; rows that begin alike are done together, eight positions at a time whatever the width.
 * Channels that do not fill panels are joined with those of the next positions where the stride is one: a row of the picture is then
 * a run of elements without gaps, whose weights repeat. */
#include "host.h"

typedef struct geometry {
    uint32_t in_h, in_w, out_h, out_w, channels;
    int32_t pad_top, pad_left;
    uint32_t stride_h, stride_w, dilation_w, kernel_h, kernel_w;
    uint32_t width; /* columns of the picture */
    uint32_t joined; /* neighbouring positions that are one position of joined * channels channels */
    uint32_t column; /* channels from a column of the picture to the next */
    uint32_t taps;  /* pairs of taps: (kernel_h/2 + 1) * kernel_w hold a window from either row of a pair on */
    int32_t zero;
} geometry;

typedef struct tile {
    sf_rows rows;
    int16_t* words;   /* [first row of the pair, or second][panel][tap pair][SF_PANEL][2] */
    int16_t* line;    /* one tap's weights as they are stored */
    int32_t* acc;     /* [SF_BLOCK_PATCHES][capacity] */
    size_t* offsets;  /* [tap pair] */
    int16_t* picture; /* channels rounded up to panels; what fills up is never stored */
    int8_t* blank;    /* [capacity] zero points */
    uint32_t capacity, count;
    sf_host_kernels kernels;
} tile;

static uint64_t cache_lines(uint64_t bytes) { return (bytes + 63) & ~(uint64_t)63; }

static uint32_t panels(uint32_t rows) { return (rows + SF_PANEL - 1) / SF_PANEL; }

/* Positions that fill panels without a gap, if that makes fewer panels in all. */
static uint32_t joined_positions(const geometry* g, uint32_t row_tile)
{
    uint32_t some = SF_PANEL;
    while (some > 1 && some / 2 * g->channels % SF_PANEL == 0)
        some /= 2;
    return g->stride_w == 1 && some * g->channels <= row_tile &&
                   (g->out_w + some - 1) / some * panels(some * g->channels) < g->out_w * panels(g->channels)
               ? some
               : 1;
}

static uint32_t tile_channels(uint32_t row_tile, uint32_t channels)
{
    return sf_min_u32(row_tile, panels(channels) * SF_PANEL);
}

static geometry make_geometry(const sf_tensor* in, const sf_tensor* out, const sf_op* op, uint32_t row_tile)
{
    geometry g;
    g.in_h = (uint32_t)in->dims[0];
    g.in_w = (uint32_t)in->dims[1];
    g.channels = (uint32_t)in->dims[2];
    g.out_h = (uint32_t)out->dims[0];
    g.out_w = (uint32_t)out->dims[1];
    g.pad_top = op->pad_top;
    g.pad_left = op->pad_left;
    g.stride_h = (uint32_t)op->stride_h;
    g.stride_w = (uint32_t)op->stride_w;
    g.dilation_w = (uint32_t)op->dilation_w;
    g.kernel_h = (uint32_t)op->kernel_h;
    g.kernel_w = (uint32_t)op->kernel_w;
    g.joined = joined_positions(&g, row_tile);
    g.column = g.joined > 1 ? g.channels : tile_channels(row_tile, g.channels);
    g.width = ((g.out_w + g.joined - 1) / g.joined * g.joined - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
    g.taps = (g.kernel_h / 2 + 1) * g.kernel_w;
    g.zero = in->zero_point;
    return g;
}

/* Row pairs under `rows` output rows; the last output row may begin with the second row of a pair. */
static uint32_t row_pairs(const geometry* g, uint32_t rows) { return (rows - 1) * g->stride_h / 2 + g->kernel_h / 2 + 1; }

static uint64_t pair_bytes(const geometry* g) { return (uint64_t)g->width * g->column * 2 * sizeof(int16_t); }

/* Output rows of a band: as many as SF_BAND_BYTES hold the input of, at least one. */
static uint32_t band_rows(const geometry* g)
{
    const uint64_t pairs = SF_BAND_BYTES / pair_bytes(g), first = row_pairs(g, 1);
    return pairs <= first ? 1 : (uint32_t)((pairs - first) * 2 / g->stride_h + 1);
}

static uint64_t picture_bytes(const geometry* g)
{
    const uint64_t least = row_pairs(g, 1) * pair_bytes(g);
    return least > SF_BAND_BYTES ? least : SF_BAND_BYTES;
}

static uint64_t word_bytes(const geometry* g, uint32_t capacity) { return (uint64_t)g->taps * capacity * 4 * sizeof(int16_t); }

static uint64_t tile_bytes(const geometry* g, uint32_t capacity)
{
    return word_bytes(g, capacity) + cache_lines(capacity * sizeof(int16_t)) +
           SF_BLOCK_PATCHES * (uint64_t)capacity * sizeof(int32_t) + cache_lines(sf_rows_bytes(capacity)) +
           cache_lines(g->taps * sizeof(size_t)) + picture_bytes(g) + capacity;
}

uint64_t sf_depthwise_s8_host_bytes(const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const geometry g = make_geometry(program->tensors + op->inputs[0], program->tensors + op->output, op, row_tile);
    return tile_bytes(&g, tile_channels(row_tile, g.joined * g.channels));
}

static void open_tile(tile* t, const geometry* g, void* memory, uint32_t row_tile)
{
    uint8_t* at = (uint8_t*)memory;
    t->capacity = tile_channels(row_tile, g->joined * g->channels);
    t->words = (int16_t*)(void*)at;
    at += (size_t)word_bytes(g, t->capacity);
    t->line = (int16_t*)(void*)at;
    at += (size_t)cache_lines(t->capacity * sizeof(int16_t));
    t->acc = (int32_t*)(void*)at;
    at += SF_BLOCK_PATCHES * (size_t)t->capacity * sizeof(int32_t);
    sf_rows_carve(&t->rows, at, t->capacity);
    at += (size_t)cache_lines(sf_rows_bytes(t->capacity));
    t->offsets = (size_t*)(void*)at;
    at += (size_t)cache_lines(g->taps * sizeof(size_t));
    t->picture = (int16_t*)(void*)at;
    t->blank = (int8_t*)at + (size_t)picture_bytes(g);
    sf_fill(t->blank, g->zero, t->capacity);
    sf_fill(t->picture, 0, (size_t)picture_bytes(g));
    for (uint32_t i = 0; i < g->taps; i++)
        t->offsets[i] = ((size_t)(i / g->kernel_w) * g->width + i % g->kernel_w * g->dilation_w) * g->column * 2;
    t->kernels = sf_host_choose(SF_HOST_LEVEL);
}

/* Where the weight of tap (ky, kx) and channel 0 goes, for windows that begin with row `parity` of a pair. */
static int16_t* word_of(const tile* t, const geometry* g, uint32_t parity, uint32_t ky, uint32_t kx)
{
    const uint32_t row = ky + parity;
    const size_t tap = (size_t)(row / 2) * g->kernel_w + kx;
    return t->words + (size_t)parity * g->taps * t->capacity * 2 + tap * SF_PANEL * 2 + row % 2;
}

static void stage(tile* t, const geometry* g, const sf_call* call, uint32_t first, uint32_t count)
{
    t->count = count;
    sf_fill(t->words, 0, (size_t)word_bytes(g, t->capacity));
    sf_fill(t->rows.reach, 0, count * sizeof *t->rows.reach);
    for (uint32_t tap = 0; tap < g->kernel_h * g->kernel_w; tap++) {
        const uint32_t begin = tap * g->channels + first;
        for (uint32_t i = 0, size; i < count; i += size) {
            size = sf_min_u32(SF_CHUNK - (begin + i) % SF_CHUNK, count - i);
            sf_stage_s16(call->pass, (uint32_t)call->op->weight, begin + i, size, t->line + i);
        }
        int16_t* even = word_of(t, g, 0, tap / g->kernel_w, tap % g->kernel_w);
        int16_t* odd = word_of(t, g, 1, tap / g->kernel_w, tap % g->kernel_w);
        for (uint32_t c = count; c < count * g->joined; c++)
            t->line[c] = t->line[c - count];
        for (uint32_t c = 0; c < count * g->joined; c++) {
            const size_t at = (size_t)(c / SF_PANEL) * g->taps * SF_PANEL * 2 + c % SF_PANEL * 2;
            even[at] = odd[at] = t->line[c];
        }
        for (uint32_t c = 0; c < count; c++)
            t->rows.reach[c] += t->line[c] < 0 ? -t->line[c] : t->line[c];
    }
    sf_rows_prepare(&t->rows, call, first, count);
    for (uint32_t c = count; c < count * g->joined; c++) {
        t->rows.bias[c] = t->rows.bias[c - count];
        t->rows.mult[c] = t->rows.mult[c - count];
        t->rows.half[c] = t->rows.half[c - count];
        t->rows.shift[c] = t->rows.shift[c - count];
    }
}

/* Row pairs from input row `top` on, channels of the tile; x: the tile's first channel in one sample. A row outside the image reads
 * the blank column everywhere. */
static void widen_band(const tile* t, const geometry* g, const int8_t* x, int64_t top, uint32_t pairs)
{
    const size_t line = (size_t)g->in_w * g->channels, column = (size_t)g->column * 2;
    const uint32_t left = sf_min_u32((uint32_t)g->pad_left, g->width), inside = sf_min_u32(g->width - left, g->in_w);
    const uint32_t right = g->width - left - inside;
    int16_t* out = t->picture;
    for (uint32_t i = 0; i < pairs; i++, top += 2, out += right * column) {
        const int has_a = top >= 0 && top < g->in_h, has_b = top >= -1 && top + 1 < g->in_h;
        const int8_t* a = has_a ? x + (size_t)top * line : t->blank;
        const int8_t* b = has_b ? x + (size_t)(top + 1) * line : t->blank;
        if (left > 0)
            sf_fill(out, 0, left * column * sizeof *out);
        out += left * column;
        if (has_a && has_b && g->column == g->channels) {
            t->kernels.interleave(a, b, inside * g->channels, g->zero, out);
            out += inside * column;
        } else {
            for (uint32_t c = 0; c < inside; c++, out += column, a += has_a ? g->channels : 0, b += has_b ? g->channels : 0)
                t->kernels.interleave(a, b, t->count, g->zero, out);
        }
        if (right > 0)
            sf_fill(out, 0, right * column * sizeof *out);
    }
}

/* The first `count` channels. Every row is proven to stay inside int32 (sf_rows_prepare). */
static void multiply(const tile* t, const sf_block* b, const sf_grid* grid, uint32_t count, void* y)
{
    sf_cursor cursor = sf_grid_start(grid);
    sf_eight eight;
    if (t->rows.fused && t->kernels.grid_window != NULL)
        t->kernels.grid_window(b, grid, &t->rows, count, (int8_t*)y);
    else
        while (sf_grid_next(&cursor, &eight)) {
            t->kernels.window(b, eight.patches, panels(count), t->acc, t->capacity);
            t->kernels.rows(&t->rows, t->acc, t->capacity, count, eight.count, y, eight.at);
        }
}

/* `rows` output rows of a band, every `each`th from row `first` on: all begin with the same row of a pair. at: the band's first
 * output. */
static void run_rows(const tile* t, const geometry* g, uint32_t first, uint32_t each, uint32_t rows, void* y, size_t at)
{
    const size_t pair = (size_t)g->width * g->column * 2, line = (size_t)g->out_w * g->channels;
    const uint32_t parity = (first * g->stride_h) & 1u, rest = g->out_w % g->joined;
    const sf_block b = {t->words + (size_t)parity * g->taps * t->capacity * 2, (size_t)g->taps * SF_PANEL * 2, t->offsets,
                        (size_t)((g->kernel_h + parity + 1) / 2) * g->kernel_w, 1};
    sf_grid grid = {g->out_w / g->joined, rows, t->picture + (size_t)(first * g->stride_h / 2) * pair,
                    (size_t)g->joined * g->stride_w * g->column * 2, (size_t)(each * g->stride_h / 2) * pair, at + first * line,
                    (size_t)g->joined * g->channels, each * line};
    if (grid.width > 0)
        multiply(t, &b, &grid, t->count * g->joined, y);
    if (rest > 0) { /* the end of every row */
        grid.patch += grid.width * grid.across;
        grid.at += grid.width * grid.out_across;
        grid.width = 1;
        multiply(t, &b, &grid, t->count * rest, y);
    }
}

static void run_tile(const tile* t, const geometry* g, const sf_call* call, uint32_t first)
{
    const uint32_t most = band_rows(g);
    const int8_t* x = (const int8_t*)call->x + first;
    size_t at = first;
    for (uint32_t s = 0; s < call->n; s++, x += call->in->elements)
        for (uint32_t oy = 0, rows; oy < g->out_h; oy += rows, at += (size_t)rows * g->out_w * g->channels) {
            rows = sf_min_u32(most, g->out_h - oy);
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
int sf_depthwise_s8_host(const sf_call* call)
{
    const geometry g = make_geometry(call->in, call->out, call->op, call->row_tile);
    tile t;
    if (call->op->dilation_h != 1)
        return 0;
    open_tile(&t, &g, call->work, call->row_tile);
    for (uint32_t c = 0; c < g.channels; c += t.capacity) {
        stage(&t, &g, call, c, sf_min_u32(t.capacity, g.channels - c));
        if (!t.rows.narrow)
            return 0;
        run_tile(&t, &g, call, c);
    }
    return 1;
}
