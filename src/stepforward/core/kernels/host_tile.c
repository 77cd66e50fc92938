/* A tile of weight rows for hosts: staged once, in the order in which the block kernels read them. */
#include "host.h"

#if __STDC_HOSTED__

static uint32_t round_up(uint32_t v, uint32_t to) { return (v + to - 1) / to * to; }

static uint64_t cache_lines(uint64_t bytes) { return (bytes + 63) & ~(uint64_t)63; }

static void shape(sf_host_tile* t, uint32_t row_tile, uint32_t rows, uint32_t segments, uint32_t segment)
{
    t->capacity = sf_min_u32(row_tile, round_up(rows, SF_PANEL));
    t->segments = segments;
    t->segment = segment;
    t->pairs = (segment + 1) / 2;
}

static size_t panel_words(const sf_host_tile* t) { return (size_t)t->segments * t->pairs * 2 * SF_PANEL; }

static uint64_t word_bytes(const sf_host_tile* t) { return (uint64_t)(t->capacity / SF_PANEL) * panel_words(t) * sizeof(int16_t); }

static uint64_t line_bytes(const sf_host_tile* t)
{
    return cache_lines((uint64_t)SF_PANEL * t->segments * t->segment * sizeof(int16_t));
}

static uint64_t acc_bytes(const sf_host_tile* t) { return (uint64_t)SF_BLOCK_PATCHES * t->capacity * sizeof(int64_t); }

uint64_t sf_host_tile_bytes(uint32_t row_tile, uint32_t rows, uint32_t segments, uint32_t segment)
{
    sf_host_tile t;
    shape(&t, row_tile, rows, segments, segment);
    return word_bytes(&t) + line_bytes(&t) + acc_bytes(&t) + cache_lines(sf_rows_bytes(t.capacity)) +
           cache_lines(segments * sizeof(size_t));
}

/* Lay a tile out in sf_host_tile_bytes() of memory; the caller fills offsets. Returns what follows. */
uint8_t* sf_host_tile_open(sf_host_tile* t, void* memory, uint32_t row_tile, uint32_t rows, uint32_t segments, uint32_t segment)
{
    uint8_t* at = (uint8_t*)memory;
    shape(t, row_tile, rows, segments, segment);
    t->words = (int16_t*)(void*)at;
    at += (size_t)word_bytes(t);
    t->line = (int16_t*)(void*)at;
    at += (size_t)line_bytes(t);
    t->acc = at;
    at += (size_t)acc_bytes(t);
    sf_rows_carve(&t->rows, at, t->capacity);
    at += (size_t)cache_lines(sf_rows_bytes(t->capacity));
    t->offsets = (size_t*)(void*)at;
    t->kernels = sf_host_choose(SF_HOST_LEVEL);
    return at + (size_t)cache_lines(segments * sizeof(size_t));
}

/* Bound of a row's accumulator, in units of the largest |X|, as sf_rows_prepare() takes it. X = x - zero lies in [-below, above]
 * with below, above >= 0, so with the sums `up` of the positive and `down` of the negative weights' magnitudes every partial sum is
 * at most up*above + down*below and at least -(up*below + down*above). */
SF_CLONES
static int64_t reach(const int16_t* w, uint32_t count, int64_t zero)
{
    const int64_t below = 128 + zero, above = 127 - zero, largest = above > below ? above : below;
    int64_t up = 0, down = 0;
    for (uint32_t at = 0, some; at < count; at += some) {
        int32_t positive = 0, negative = 0; /* at most 2^15 times 2^15 */
        some = sf_min_u32(count - at, 32768);
        for (uint32_t i = at; i < at + some; i++) {
            positive += w[i] > 0 ? w[i] : 0;
            negative += w[i] < 0 ? -w[i] : 0;
        }
        up += positive;
        down += negative;
    }
    const int64_t high = up * above + down * below, low = up * below + down * above;
    return ((high > low ? high : low) + largest - 1) / largest;
}

/* Interleave the rows of t->line pair by pair; what fills up a segment or the panel is zero. */
static void pack(const sf_host_tile* t, uint32_t rows, int16_t* words)
{
    const size_t length = (size_t)t->segments * t->segment;
    if (rows < SF_PANEL || (t->segment & 1u))
        sf_fill(words, 0, panel_words(t) * sizeof *words);
    for (uint32_t s = 0; s < t->segments; s++) {
        const int16_t* from = t->line + (size_t)s * t->segment;
        for (uint32_t k = 0; k < t->segment / 2; k++, words += 2 * SF_PANEL, from += 2)
            for (uint32_t r = 0; r < rows; r++)
                sf_copy(words + 2 * r, from + r * length, 2 * sizeof *words);
        if (t->segment & 1u) {
            for (uint32_t r = 0; r < rows; r++)
                words[2 * r] = from[r * length];
            words += 2 * SF_PANEL;
        }
    }
}

void sf_host_tile_stage(sf_host_tile* t, const sf_call* call, uint32_t first_row, uint32_t count)
{
    const uint32_t length = t->segments * t->segment;
    t->count = count;
    for (uint32_t row = 0; row < count; row += SF_PANEL) {
        const uint32_t rows = sf_min_u32(SF_PANEL, count - row), first = (first_row + row) * length, end = first + rows * length;
        for (uint32_t e = first, size; e < end; e += size) {
            size = sf_min_u32(SF_CHUNK - e % SF_CHUNK, end - e);
            sf_stage_s16(call->pass, (uint32_t)call->op->weight, e, size, t->line + (e - first));
        }
        for (uint32_t r = 0; r < rows; r++)
            t->rows.reach[row + r] = reach(t->line + (size_t)r * length, length, call->in->zero_point);
        pack(t, rows, t->words + row / SF_PANEL * panel_words(t));
    }
    sf_rows_prepare(&t->rows, call, first_row, count);
}

/* Panels of the next call: threes, but rather two and two than three and one. */
static uint32_t next_panels(uint32_t left) { return left == 4 ? 2 : sf_min_u32(left, SF_BLOCK_PANELS); }

/* Every row is proven to stay inside int32 (sf_rows_prepare). */
static void multiply_narrow(const sf_host_tile* t, sf_block* b, uint32_t count, void* y, const size_t* at)
{
    int32_t* acc = (int32_t*)t->acc;
    const uint32_t panels = (t->count + SF_PANEL - 1) / SF_PANEL;
    for (uint32_t j = 0, some; j < panels; j += some) {
        some = next_panels(panels - j);
        b->words = t->words + j * b->panel;
        t->kernels.dot(b, some, acc + j * SF_PANEL, t->capacity);
    }
    t->kernels.rows(&t->rows, acc, t->capacity, t->count, count, y, at);
}

SF_CLONES
static void add_parts(int64_t* acc, const int32_t* part, uint32_t capacity)
{
    for (uint32_t p = 0; p < SF_BLOCK_PATCHES; p++)
        for (uint32_t r = 0; r < SF_PANEL; r++)
            acc[(size_t)p * capacity + r] += part[p * SF_PANEL + r];
}

/* At most SF_BLOCK products in int32 (256 * 32768 * 255 < 2^31; contract, section 3), summed in int64. */
static void add_panel(const sf_host_tile* t, const sf_block* whole, const int16_t* words, int64_t* acc)
{
    int32_t part[SF_BLOCK_PATCHES * SF_PANEL];
    const uint32_t most = SF_BLOCK / 2, together = sf_max_u32(1, most / t->pairs);
    for (uint32_t s = 0; s < t->segments; s += together)
        for (uint32_t k = 0; k < t->pairs; k += most) {
            sf_block b = *whole;
            b.words = words + ((size_t)s * t->pairs + k) * 2 * SF_PANEL;
            b.offsets = t->offsets + s;
            b.segments = sf_min_u32(together, t->segments - s);
            b.pairs = sf_min_u32(most, t->pairs - k);
            for (uint32_t p = 0; p < SF_BLOCK_PATCHES; p++)
                b.patches[p] += 2 * (size_t)k;
            t->kernels.dot(&b, 1, part, SF_PANEL);
            add_parts(acc, part, t->capacity);
        }
}

static void multiply_wide(const sf_host_tile* t, const sf_block* b, uint32_t count, void* y, const size_t* at)
{
    int64_t* acc = (int64_t*)t->acc;
    sf_fill(acc, 0, (size_t)acc_bytes(t));
    for (uint32_t row = 0; row < t->count; row += SF_PANEL)
        add_panel(t, b, t->words + row / SF_PANEL * b->panel, acc + row);
    for (uint32_t p = 0; p < count; p++)
        sf_rows_wide(&t->rows, acc + (size_t)p * t->capacity, t->capacity, t->count, 1, y, at[p], 0);
}

void sf_host_tile_multiply(const sf_host_tile* t, const int16_t* const* patches, uint32_t count, void* y, const size_t* at)
{
    sf_block b = {0};
    b.panel = panel_words(t);
    b.offsets = t->offsets;
    b.segments = t->segments;
    b.pairs = t->pairs;
    for (uint32_t p = 0; p < SF_BLOCK_PATCHES; p++)
        b.patches[p] = patches[p];
    if (t->rows.narrow)
        multiply_narrow(t, &b, count, y, at);
    else
        multiply_wide(t, &b, count, y, at);
}

#endif
