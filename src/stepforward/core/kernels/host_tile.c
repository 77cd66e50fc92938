/* A tile of weight rows for hosts: staged once, in the order in which the block kernels read them. */
#include "winograd.h"

#if __STDC_HOSTED__
#if SF_X86
#include <emmintrin.h>
#endif

static uint32_t round_up(uint32_t v, uint32_t to) { return (v + to - 1) / to * to; }

static uint64_t cache_lines(uint64_t bytes) { return (bytes + 63) & ~(uint64_t)63; }

static void shape(sf_host_tile* t, uint32_t row_tile, const sf_host_shape* shape)
{
    t->capacity = sf_min_u32(row_tile, round_up(shape->rows, SF_PANEL));
    t->segments = shape->segments;
    t->segment = shape->segment;
    t->bytes = shape->bytes;
    t->winograd = shape->winograd;
    t->pairs = shape->bytes ? (shape->segment + 3) / 4 : (shape->segment + 1) / 2;
    t->few = shape->rows <= SF_FEW_ROWS && !shape->bytes;
}

/* A panel that may be transformed has room for its sixteen points. */
static size_t panel_words(const sf_host_tile* t)
{
    return t->winograd ? sf_winograd_words(sf_winograd_channels(t)) : (size_t)t->segments * t->pairs * 2 * SF_PANEL;
}

/* Words of few rows lie there twice; by fours they take no more than by pairs of a whole panel. */
static uint64_t word_bytes(const sf_host_tile* t)
{
    return (uint64_t)(t->capacity / SF_PANEL + t->few) * panel_words(t) * sizeof(int16_t);
}

static uint64_t line_bytes(const sf_host_tile* t)
{
    return cache_lines((uint64_t)SF_PANEL * t->segments * t->segment * sizeof(int16_t));
}

static uint64_t point_bytes(const sf_host_tile* t) { return t->winograd ? panel_words(t) * sizeof(int16_t) : 0; }

static uint64_t acc_bytes(const sf_host_tile* t) { return (uint64_t)SF_BLOCK_PATCHES * t->capacity * sizeof(int64_t); }

static uint64_t packed_bytes(const sf_host_tile* t) { return word_bytes(t) + SF_GAP + sf_packed_rows_bytes(t->capacity) + SF_GAP; }

/* A tile that is packed on the way, or one panel's rows for a twin: those are staged in 16 bits, also where words are bytes. */
static uint64_t spare_bytes(const sf_host_tile* t)
{
    const uint64_t packed = packed_bytes(t), line = line_bytes(t);
    return packed > line ? packed : line;
}

static uint64_t offset_bytes(const sf_host_tile* t) { return cache_lines(t->segments * sizeof(size_t)); }

uint64_t sf_host_tile_packed_bytes(uint32_t row_tile, const sf_host_shape* of)
{
    sf_host_tile t;
    shape(&t, row_tile, of);
    return packed_bytes(&t);
}

#define ROOMS 5u /* of working memory, in sf_host_tile_open() */

uint64_t sf_host_tile_bytes(uint32_t row_tile, const sf_host_shape* of)
{
    sf_host_tile t;
    shape(&t, row_tile, of);
    return spare_bytes(&t) + line_bytes(&t) + point_bytes(&t) + acc_bytes(&t) + offset_bytes(&t) + (uint64_t)ROOMS * SF_GAP;
}

void sf_host_tile_point(sf_host_tile* t, void* packed)
{
    t->words = (int16_t*)packed;
    t->packed_rows = (sf_packed_rows*)(void*)((uint8_t*)packed + (size_t)word_bytes(t) + SF_GAP);
}

/* Lay a tile out in sf_host_tile_bytes() of memory; the caller fills offsets. Returns what follows. */
uint8_t* sf_host_tile_open(sf_host_tile* t, void* memory, uint32_t row_tile, const sf_host_shape* of)
{
    uint8_t* at = (uint8_t*)memory;
    shape(t, row_tile, of);
    t->spare = sf_room(&at, spare_bytes(t));
    t->line = sf_room(&at, line_bytes(t));
    t->points = sf_room(&at, point_bytes(t));
    t->acc = sf_room(&at, acc_bytes(t));
    t->offsets = sf_room(&at, offset_bytes(t));
    t->kernels = sf_host_choose(SF_HOST_LEVEL);
    sf_host_tile_point(t, t->spare);
    return at;
}

void sf_host_tile_select(sf_host_tile* t, void* packed)
{
    sf_host_tile_point(t, packed);
    t->rows = t->packed_rows->rows;
    t->count = t->packed_rows->count;
}

/* The sums of each row of a panel, for sf_reach(). GCC 12 makes good vectors of pairs in 32 bits, and if it leaves the rows a loop. */
SF_CLONES
void sf_sums(const int16_t* words, size_t pairs, int64_t sum[SF_PANEL], int64_t positive[SF_PANEL])
{
    sf_fill(sum, 0, SF_PANEL * sizeof *sum);
    sf_fill(positive, 0, SF_PANEL * sizeof *positive);
    for (size_t some; pairs > 0; pairs -= some) {
        int32_t all[SF_PANEL] = {0}, above[SF_PANEL] = {0};
        some = pairs < 32767 ? pairs : 32767; /* times 2 * 2^15 stays inside int32 */
        for (size_t k = 0; k < some; k++, words += 2 * SF_PANEL)
            _Pragma("GCC unroll 1") for (size_t r = 0; r < SF_PANEL; r++)
            {
                int32_t pair;
                sf_copy(&pair, words + 2 * r, sizeof pair);
                const int32_t even = (int32_t)((uint32_t)pair << 16) >> 16, odd = pair >> 16;
                all[r] += even + odd;
                above[r] += (even > 0 ? even : 0) + (odd > 0 ? odd : 0);
            }
        for (size_t r = 0; r < SF_PANEL; r++) {
            sum[r] += all[r];
            positive[r] += above[r];
        }
    }
}

static void bound_rows(const sf_host_tile* t, const int16_t* words, uint32_t rows, int64_t zero, int64_t* bounds)
{
    int64_t sum[SF_PANEL], positive[SF_PANEL];
    t->kernels.sums(words, (size_t)t->segments * t->pairs, sum, positive);
    for (uint32_t r = 0; r < rows; r++)
        bounds[r] = sf_reach(positive[r], positive[r] - sum[r], zero);
}

#if SF_X86
void sf_pack_pairs(const int16_t* from, size_t length, uint32_t pairs, int16_t* words)
{
    uint32_t k = 0;
    for (; k + 4 <= pairs; k += 4)
        for (uint32_t r = 0; r < SF_PANEL; r += 4) { /* four pairs of four rows, transposed */
            const int16_t* x = from + r * length + 2 * k;
            int16_t* to = words + (size_t)k * 2 * SF_PANEL + 2 * r;
            const __m128i a = _mm_loadu_si128((const __m128i_u*)(const void*)x);
            const __m128i b = _mm_loadu_si128((const __m128i_u*)(const void*)(x + length));
            const __m128i c = _mm_loadu_si128((const __m128i_u*)(const void*)(x + 2 * length));
            const __m128i d = _mm_loadu_si128((const __m128i_u*)(const void*)(x + 3 * length));
            const __m128i ab = _mm_unpacklo_epi32(a, b), cd = _mm_unpacklo_epi32(c, d);
            const __m128i ab_high = _mm_unpackhi_epi32(a, b), cd_high = _mm_unpackhi_epi32(c, d);
            _mm_storeu_si128((__m128i_u*)(void*)to, _mm_unpacklo_epi64(ab, cd));
            _mm_storeu_si128((__m128i_u*)(void*)(to + 2 * SF_PANEL), _mm_unpackhi_epi64(ab, cd));
            _mm_storeu_si128((__m128i_u*)(void*)(to + 4 * SF_PANEL), _mm_unpacklo_epi64(ab_high, cd_high));
            _mm_storeu_si128((__m128i_u*)(void*)(to + 6 * SF_PANEL), _mm_unpackhi_epi64(ab_high, cd_high));
        }
    for (; k < pairs; k++)
        for (uint32_t r = 0; r < SF_PANEL; r++)
            sf_copy(words + ((size_t)k * SF_PANEL + r) * 2, from + r * length + 2 * k, 2 * sizeof *words);
}
#else
void sf_pack_pairs(const int16_t* from, size_t length, uint32_t pairs, int16_t* words)
{
    for (uint32_t k = 0; k < pairs; k++)
        for (uint32_t r = 0; r < SF_PANEL; r++)
            sf_copy(words + ((size_t)k * SF_PANEL + r) * 2, from + r * length + 2 * k, 2 * sizeof *words);
}
#endif

/* Interleave the rows of a line pair by pair; what fills up a segment or the panel is zero. */
static void pack(const sf_host_tile* t, const int16_t* line, uint32_t rows, int16_t* words)
{
    const size_t length = (size_t)t->segments * t->segment;
    if (rows < SF_PANEL || (t->segment & 1u))
        sf_fill(words, 0, panel_words(t) * sizeof *words);
    for (uint32_t s = 0; s < t->segments; s++, words += (size_t)t->pairs * 2 * SF_PANEL) {
        const int16_t* from = line + (size_t)s * t->segment;
        if (rows == SF_PANEL)
            sf_pack_pairs(from, length, t->segment / 2, words);
        else
            for (uint32_t k = 0; k < t->segment / 2; k++)
                for (uint32_t r = 0; r < rows; r++)
                    sf_copy(words + ((size_t)k * SF_PANEL + r) * 2, from + r * length + 2 * k, 2 * sizeof *words);
        for (uint32_t r = 0; r < rows && (t->segment & 1u); r++)
            words[((size_t)(t->pairs - 1) * SF_PANEL + r) * 2] = from[r * length + t->segment - 1];
    }
}

/* Interleave the rows of a line by fours instead: [segment][four][SF_FEW_ROWS][4]. */
static void pack_few(const sf_host_tile* t, const int16_t* line, uint32_t rows, int16_t* words)
{
    const size_t length = (size_t)t->segments * t->segment, fours = (t->segment + 3) / 4;
    sf_fill(words, 0, t->segments * fours * 4 * SF_FEW_ROWS * sizeof *words);
    for (uint32_t s = 0; s < t->segments; s++, words += fours * 4 * SF_FEW_ROWS)
        for (uint32_t r = 0; r < rows; r++)
            for (uint32_t k = 0; k < t->segment; k++)
                words[k / 4 * 4 * SF_FEW_ROWS + r * 4 + k % 4] = line[r * length + s * t->segment + k];
}

/* Fours of a whole panel's rows, `length` elements apart, row by row of a four. Returns how many: sixteen bytes of a row at a time. */
static uint32_t pack_fours(const int16_t* from, size_t length, uint32_t fours, int8_t* words)
{
    uint32_t k = 0;
#if SF_X86
    for (; k + 4 <= fours; k += 4)
        for (uint32_t r = 0; r < SF_PANEL; r += 4) { /* four fours of four rows, transposed */
            __m128i row[4];
            for (uint32_t i = 0; i < 4; i++) {
                const int16_t* x = from + (r + i) * length + 4 * (size_t)k;
                row[i] = _mm_packs_epi16(_mm_loadu_si128((const __m128i_u*)(const void*)x),
                                         _mm_loadu_si128((const __m128i_u*)(const void*)(x + 8)));
            }
            __m128i_u* to = (__m128i_u*)(void*)(words + ((size_t)k * SF_PANEL + r) * 4);
            const __m128i ab = _mm_unpacklo_epi32(row[0], row[1]), cd = _mm_unpacklo_epi32(row[2], row[3]);
            const __m128i ab_high = _mm_unpackhi_epi32(row[0], row[1]), cd_high = _mm_unpackhi_epi32(row[2], row[3]);
            _mm_storeu_si128(to, _mm_unpacklo_epi64(ab, cd));
            _mm_storeu_si128(to + SF_PANEL / 4, _mm_unpackhi_epi64(ab, cd));
            _mm_storeu_si128(to + SF_PANEL / 2, _mm_unpacklo_epi64(ab_high, cd_high));
            _mm_storeu_si128(to + SF_PANEL * 3 / 4, _mm_unpackhi_epi64(ab_high, cd_high));
        }
#else
    (void)from, (void)length, (void)fours, (void)words;
#endif
    return k;
}

/* Sums of a row of bytes, and of its positive ones: at most 128 * SF_BYTE_PRODUCTS. */
SF_CLONES
static void sum_bytes(const int16_t* w, size_t count, int32_t* sum, int32_t* positive)
{
    int32_t all = 0, above = 0;
    for (size_t i = 0; i < count; i++) {
        all += w[i];
        above += w[i] > 0 ? w[i] : 0;
    }
    *sum = all;
    *positive = above;
}

/* The same for bytes: [segment][four][SF_PANEL][4], and the bound and the surplus of every row: x ^ byte_flip is (x - zero) +
 * (zero + byte_flip). */
static void pack_bytes(const sf_host_tile* t, const int16_t* line, uint32_t rows, int64_t zero, int8_t* words, int64_t* bounds,
                       int32_t* surplus)
{
    const size_t length = (size_t)t->segments * t->segment;
    const int32_t offset = (int32_t)zero + (int32_t)t->kernels.byte_flip;
    if (rows < SF_PANEL || t->segment % 4 != 0)
        sf_fill(words, 0, panel_words(t) * sizeof(int16_t));
    for (uint32_t s = 0; s < t->segments; s++, words += (size_t)t->pairs * 4 * SF_PANEL) {
        const int16_t* from = line + (size_t)s * t->segment;
        const uint32_t done = rows == SF_PANEL ? 4 * pack_fours(from, length, t->segment / 4, words) : 0;
        for (uint32_t r = 0; r < rows; r++)
            for (uint32_t k = done; k < t->segment; k++)
                words[(size_t)(k / 4 * SF_PANEL + r) * 4 + k % 4] = (int8_t)from[r * length + k];
    }
    for (uint32_t r = 0; r < rows; r++) {
        int32_t sum, positive;
        sum_bytes(line + r * length, length, &sum, &positive);
        bounds[r] = sf_reach(positive, positive - sum, zero);
        surplus[r] = sum * offset; /* |offset| <= 255 */
    }
}

/* Whether the transformed weights of a panel fit, and its sums leave the two bits that the transforms take (winograd.h). Then the
 * weights lie transformed in the working memory, and the bounds are set. */
static int transform(const sf_host_tile* t, const int16_t* line, uint32_t rows, int64_t zero, int64_t* bounds)
{
    const uint32_t channels = sf_winograd_channels(t);
    int64_t sum[SF_PANEL], positive[SF_PANEL];
    int fit = sf_winograd_transform(t->kernels.row, line, rows, channels, t->points, sum, positive);
    for (uint32_t r = 0; fit && r < rows; r++) {
        bounds[r] = sf_reach(positive[r], positive[r] - sum[r], zero);
        fit = bounds[r] < SF_WINOGRAD_REACH;
    }
    return fit;
}

/* One panel of rows from a line. */
static void pack_panel(const sf_host_tile* t, const int16_t* line, uint32_t row, uint32_t rows, int64_t zero, const sf_host_tile* to)
{
    int16_t* words = to->words + row / SF_PANEL * panel_words(t);
    int64_t* bounds = to->packed_rows->reach + row;
    const int transformed = t->winograd && transform(t, line, rows, zero, bounds);
    to->packed_rows->transformed[row / SF_PANEL] = (uint8_t)transformed;
    if (transformed) {
        sf_winograd_pack(t->points, sf_winograd_channels(t), words);
        return;
    }
    if (t->bytes) {
        pack_bytes(t, line, rows, zero, (int8_t*)words, bounds, to->packed_rows->surplus + row);
        return;
    }
    pack(t, line, rows, words);
    bound_rows(t, words, rows, zero, bounds);
    if (t->few)
        pack_few(t, line, rows, to->words + panel_words(t));
}

static void open_packed(sf_host_tile* t, uint32_t count)
{
    uint8_t* at = (uint8_t*)t->words;
    sf_room(&at, word_bytes(t));
    sf_room(&at, sf_packed_rows_bytes(t->capacity));
    sf_packed_rows_open(t->packed_rows, t->capacity, count);
}

void sf_host_tile_pack(sf_host_tile* t, const sf_call* call, uint32_t first_row, uint32_t count, sf_host_tile* twin)
{
    const uint32_t length = t->segments * t->segment, weight = (uint32_t)call->op->weight;
    const int64_t zero = call->in->zero_point;
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

/* Panels of the next call: threes, but rather two and two than three and one. */
static uint32_t next_panels(uint32_t left) { return left == 4 ? 2 : sf_min_u32(left, SF_BLOCK_PANELS); }

/* Rows that are fused: one group of panels after the other, each at all positions. */
static void multiply_fused(const sf_host_tile* t, sf_block* b, const sf_grid* grid, int8_t* y)
{
    const uint32_t panels = (t->count + SF_PANEL - 1) / SF_PANEL;
    if (t->few && t->kernels.grid_few != NULL) {
        b->words = t->words + b->panel;
        t->kernels.grid_few(b, grid, &t->rows, t->count, y);
        return;
    }
    const sf_grid_kernel kernel = t->bytes ? t->kernels.grid_bytes : t->kernels.grid_dot;
    for (uint32_t j = 0, some; j < panels; j += some) {
        some = next_panels(panels - j);
        const sf_rows rows = sf_rows_from(&t->rows, j * SF_PANEL);
        b->words = t->words + j * b->panel;
        kernel(b, grid, &rows, sf_min_u32(some * SF_PANEL, t->count - j * SF_PANEL), y + j * SF_PANEL);
    }
}

/* The sums of all rows in int32: every row is proven to stay inside (sf_rows_prepare), or is one of bytes. */
static void multiply_rows(const sf_host_tile* t, sf_block* b, const sf_eight* eight, int32_t* acc)
{
    const uint32_t panels = (t->count + SF_PANEL - 1) / SF_PANEL;
    for (uint32_t j = 0, some; j < panels; j += some) {
        some = next_panels(panels - j);
        b->words = t->words + j * b->panel;
        (t->bytes ? t->kernels.bytes : t->kernels.dot)(b, eight->patches, some, acc + j * SF_PANEL, t->capacity);
    }
}

static void multiply_narrow(const sf_host_tile* t, sf_block* b, const sf_eight* eight, void* y)
{
    int32_t* acc = (int32_t*)t->acc;
    multiply_rows(t, b, eight, acc);
    t->kernels.rows(&t->rows, acc, t->capacity, t->count, eight->count, y, eight->at);
}

SF_CLONES
static void add_parts(int64_t* acc, const int32_t* part, uint32_t capacity)
{
    for (uint32_t p = 0; p < SF_BLOCK_PATCHES; p++)
        for (uint32_t r = 0; r < SF_PANEL; r++)
            acc[(size_t)p * capacity + r] += part[p * SF_PANEL + r];
}

/* At most SF_BLOCK products in int32 (256 * 32768 * 255 < 2^31; contract, section 3), summed in int64. */
static void add_panel(const sf_host_tile* t, const int16_t* const* patches, const int16_t* words, int64_t* acc)
{
    const int16_t* from[SF_BLOCK_PATCHES];
    int32_t part[SF_BLOCK_PATCHES * SF_PANEL];
    const uint32_t most = SF_BLOCK / 2, together = sf_max_u32(1, most / t->pairs);
    for (uint32_t s = 0; s < t->segments; s += together)
        for (uint32_t k = 0; k < t->pairs; k += most) {
            const sf_block b = {words + ((size_t)s * t->pairs + k) * 2 * SF_PANEL, 0, t->offsets + s,
                                sf_min_u32(together, t->segments - s), sf_min_u32(most, t->pairs - k)};
            for (uint32_t p = 0; p < SF_BLOCK_PATCHES; p++)
                from[p] = patches[p] + 2 * (size_t)k;
            t->kernels.dot(&b, from, 1, part, SF_PANEL);
            add_parts(acc, part, t->capacity);
        }
}

/* Sums of bytes fit into int32 whatever the row (SF_BYTE_PRODUCTS); widened in place, from the last to the first. */
static void widen_sums(const sf_host_tile* t, sf_block* b, const sf_eight* eight, int64_t* acc)
{
    multiply_rows(t, b, eight, (int32_t*)t->acc);
    for (size_t p = SF_BLOCK_PATCHES; p-- > 0;)
        for (size_t r = t->count; r-- > 0;) {
            int32_t sum;
            sf_copy(&sum, (const uint8_t*)t->acc + (p * t->capacity + r) * sizeof sum, sizeof sum);
            const int64_t wide = (int64_t)sum - t->packed_rows->surplus[r];
            sf_copy(acc + p * t->capacity + r, &wide, sizeof wide);
        }
}

static void multiply_wide(const sf_host_tile* t, sf_block* b, const sf_eight* eight, void* y)
{
    int64_t* acc = (int64_t*)t->acc;
    if (t->bytes) {
        widen_sums(t, b, eight, acc);
    } else {
        sf_fill(acc, 0, (size_t)acc_bytes(t));
        for (uint32_t row = 0; row < t->count; row += SF_PANEL)
            add_panel(t, eight->patches, t->words + row / SF_PANEL * b->panel, acc + row);
    }
    for (uint32_t p = 0; p < eight->count; p++)
        sf_rows_wide(&t->rows, acc + (size_t)p * t->capacity, t->capacity, t->count, 1, y, eight->at[p], 0);
}

/* Rows as they are. */
static void multiply_plain(const sf_host_tile* t, const sf_grid* grid, void* y)
{
    sf_block b = {t->words, panel_words(t), t->offsets, t->segments, t->pairs};
    sf_cursor cursor = sf_grid_start(grid);
    sf_eight eight;
    if (t->rows.fused && (t->bytes ? t->kernels.grid_bytes : t->kernels.grid_dot) != NULL)
        multiply_fused(t, &b, grid, (int8_t*)y);
    else
        while (sf_grid_next(&cursor, &eight)) {
            if (t->rows.narrow)
                multiply_narrow(t, &b, &eight, y);
            else
                multiply_wide(t, &b, &eight, y);
        }
}

/* Panels first .. end-1 of a tile as a tile. */
static sf_host_tile some_panels(const sf_host_tile* t, uint32_t first, uint32_t end)
{
    sf_host_tile part = *t;
    part.words += first * panel_words(t);
    part.rows = sf_rows_from(&t->rows, first * SF_PANEL);
    part.count = sf_min_u32(end * SF_PANEL, t->count) - first * SF_PANEL;
    return part;
}

void sf_host_tile_multiply(const sf_host_tile* t, const sf_grid* grid, void* y)
{
    const uint8_t* transformed = t->packed_rows->transformed;
    const uint32_t panels = (t->count + SF_PANEL - 1) / SF_PANEL;
    if (!t->winograd) {
        multiply_plain(t, grid, y);
        return;
    }
    for (uint32_t first = 0, end; first < panels; first = end) {
        for (end = first + 1; end < panels && transformed[end] == transformed[first];)
            end++;
        const sf_host_tile part = some_panels(t, first, end);
        sf_grid behind = *grid;
        behind.at += first * SF_PANEL;
        if (transformed[first])
            sf_winograd_multiply(&part, &behind, y);
        else
            multiply_plain(&part, &behind, y);
    }
}

#endif
