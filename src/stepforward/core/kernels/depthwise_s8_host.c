/* Depthwise convolution on a host. Two input rows lie side by side in the widened picture, [row pair][column][channel][2], so that
 * one multiply-add takes two taps of sixteen channels. An output row that begins with the second row of a pair has words of its own,
 * with zeros in front; rows that begin alike are done together, eight positions at a time whatever the width. */
#include "host.h"

#if __STDC_HOSTED__

typedef struct geometry {
    uint32_t in_h, in_w, out_h, out_w, channels;
    int32_t pad_top, pad_left;
    uint32_t stride_h, stride_w, dilation_w, kernel_h, kernel_w;
    uint32_t width; /* columns of the picture */
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

static geometry make_geometry(const sf_tensor* in, const sf_tensor* out, const sf_op* op)
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
    g.width = (g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
    g.taps = (g.kernel_h / 2 + 1) * g.kernel_w;
    g.zero = in->zero_point;
    return g;
}

static uint32_t tile_channels(uint32_t row_tile, uint32_t channels)
{
    return sf_min_u32(row_tile, (channels + SF_PANEL - 1) / SF_PANEL * SF_PANEL);
}

/* Row pairs under `rows` output rows; the last output row may begin with the second row of a pair. */
static uint32_t row_pairs(const geometry* g, uint32_t rows) { return (rows - 1) * g->stride_h / 2 + g->kernel_h / 2 + 1; }

static uint64_t pair_bytes(const geometry* g, uint32_t capacity) { return (uint64_t)g->width * capacity * 2 * sizeof(int16_t); }

/* Output rows of a band: as many as SF_BAND_BYTES hold the input of, at least one. */
static uint32_t band_rows(const geometry* g, uint32_t capacity)
{
    const uint64_t pairs = SF_BAND_BYTES / pair_bytes(g, capacity), first = row_pairs(g, 1);
    return pairs <= first ? 1 : (uint32_t)((pairs - first) * 2 / g->stride_h + 1);
}

static uint64_t picture_bytes(const geometry* g, uint32_t capacity)
{
    const uint64_t least = row_pairs(g, 1) * pair_bytes(g, capacity);
    return least > SF_BAND_BYTES ? least : SF_BAND_BYTES;
}

static uint64_t word_bytes(const geometry* g, uint32_t capacity) { return (uint64_t)g->taps * capacity * 4 * sizeof(int16_t); }

static uint64_t tile_bytes(const geometry* g, uint32_t capacity)
{
    return word_bytes(g, capacity) + cache_lines(capacity * sizeof(int16_t)) +
           SF_BLOCK_PATCHES * (uint64_t)capacity * sizeof(int32_t) + cache_lines(sf_rows_bytes(capacity)) +
           cache_lines(g->taps * sizeof(size_t)) + picture_bytes(g, capacity) + capacity;
}

uint64_t sf_depthwise_s8_host_bytes(const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const geometry g = make_geometry(program->tensors + op->inputs[0], program->tensors + op->output, op);
    return tile_bytes(&g, tile_channels(row_tile, g.channels));
}

static void open_tile(tile* t, const geometry* g, void* memory, uint32_t row_tile)
{
    uint8_t* at = (uint8_t*)memory;
    t->capacity = tile_channels(row_tile, g->channels);
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
    t->blank = (int8_t*)at + (size_t)picture_bytes(g, t->capacity);
    sf_fill(t->blank, g->zero, t->capacity);
    sf_fill(t->picture, 0, (size_t)picture_bytes(g, t->capacity));
    for (uint32_t i = 0; i < g->taps; i++)
        t->offsets[i] = ((size_t)(i / g->kernel_w) * g->width + i % g->kernel_w * g->dilation_w) * t->capacity * 2;
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
        for (uint32_t c = 0; c < count; c++) {
            const size_t at = (size_t)(c / SF_PANEL) * g->taps * SF_PANEL * 2 + c % SF_PANEL * 2;
            even[at] = odd[at] = t->line[c];
            t->rows.reach[c] += t->line[c] < 0 ? -t->line[c] : t->line[c];
        }
    }
    sf_rows_prepare(&t->rows, call, first, count);
}

/* Row pairs from input row `top` on, channels of the tile; x: the tile's first channel in one sample. A row outside the image reads
 * the blank column everywhere. */
static void widen_band(const tile* t, const geometry* g, const int8_t* x, int64_t top, uint32_t pairs)
{
    const size_t line = (size_t)g->in_w * g->channels, column = (size_t)t->capacity * 2;
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
        if (has_a && has_b && t->capacity == g->channels) {
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

/* Every row is proven to stay inside int32 (sf_rows_prepare). */
static void multiply(const tile* t, const geometry* g, uint32_t parity, const int16_t** patches, uint32_t count, void* y,
                     const size_t* at)
{
    sf_block b = {0};
    b.words = t->words + (size_t)parity * g->taps * t->capacity * 2;
    b.panel = (size_t)g->taps * SF_PANEL * 2;
    b.offsets = t->offsets;
    b.segments = (g->kernel_h + parity + 1) / 2 * g->kernel_w;
    b.pairs = 1;
    for (uint32_t p = 0; p < SF_BLOCK_PATCHES; p++)
        b.patches[p] = patches[p < count ? p : 0];
    t->kernels.window(&b, (t->count + SF_PANEL - 1) / SF_PANEL, t->acc, t->capacity);
    t->kernels.rows(&t->rows, t->acc, t->capacity, t->count, count, y, at);
}

/* The output rows of a band that begin with row `parity` of a pair. at: the band's first output. */
static void run_rows(const tile* t, const geometry* g, uint32_t parity, uint32_t rows, void* y, size_t at)
{
    const size_t column = (size_t)t->capacity * 2, pair = g->width * column;
    const int16_t* patches[SF_BLOCK_PATCHES];
    size_t outputs[SF_BLOCK_PATCHES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows; i++) {
        if ((i * g->stride_h & 1u) != parity)
            continue;
        const int16_t* patch = t->picture + (size_t)(i * g->stride_h / 2) * pair;
        const size_t from = at + (size_t)i * g->out_w * g->channels;
        for (uint32_t ox = 0; ox < g->out_w; ox++) {
            patches[count] = patch + (size_t)ox * g->stride_w * column;
            outputs[count] = from + (size_t)ox * g->channels;
            if (++count == SF_BLOCK_PATCHES) {
                multiply(t, g, parity, patches, count, y, outputs);
                count = 0;
            }
        }
    }
    if (count > 0)
        multiply(t, g, parity, patches, count, y, outputs);
}

static void run_tile(const tile* t, const geometry* g, const sf_call* call, uint32_t first)
{
    const uint32_t most = band_rows(g, t->capacity);
    const int8_t* x = (const int8_t*)call->x + first;
    size_t at = first;
    for (uint32_t s = 0; s < call->n; s++, x += call->in->elements)
        for (uint32_t oy = 0, rows; oy < g->out_h; oy += rows, at += (size_t)rows * g->out_w * g->channels) {
            rows = sf_min_u32(most, g->out_h - oy);
            widen_band(t, g, x, (int64_t)oy * g->stride_h - g->pad_top, row_pairs(g, rows));
            run_rows(t, g, 0, rows, call->y, at);
            if (g->stride_h % 2 == 1 && rows > 1)
                run_rows(t, g, 1, rows, call->y, at);
        }
}

/* Returns 0, with nothing done, where this way does not apply: a dilation between rows, or sums beyond int32. */
int sf_depthwise_s8_host(const sf_call* call)
{
    const geometry g = make_geometry(call->in, call->out, call->op);
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

#endif
