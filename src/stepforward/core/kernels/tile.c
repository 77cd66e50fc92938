/* A tile of weight rows on a host, staged once and multiplied with many patches. Devices: device_tile.c. */
#include "device.h"

static uint32_t round_up(uint32_t v, uint32_t to) { return (v + to - 1) / to * to; }

/* row_tile bounds the rows; a small operator needs no more than it has. */
static void shape(sf_tile* tile, uint32_t row_tile, uint32_t rows, uint32_t length)
{
    tile->width = SF_PANEL;
    tile->patch_count = SF_PATCHES;
    tile->capacity = sf_min_u32(row_tile, round_up(rows, tile->width));
    tile->length = length;
    tile->pairs = (length + 1) / 2;
    tile->stride = 2 * tile->pairs;
}

/* Bytes of the staged words; what follows them stays on a cache line. */
static uint64_t word_bytes(const sf_tile* tile)
{
    return ((uint64_t)tile->capacity * tile->stride * sizeof(int16_t) + 63) & ~(uint64_t)63;
}

uint64_t sf_tile_bytes(uint32_t row_tile, uint32_t rows, uint32_t length)
{
    sf_tile t;
    if (row_tile == SF_DEVICE_ROWS)
        return sf_device_tile_bytes(length);
    shape(&t, row_tile, rows, length);
    return word_bytes(&t) + sf_rows_bytes(t.capacity) +
           (uint64_t)t.patch_count * t.capacity * sizeof(int64_t) + (uint64_t)t.patch_count * t.stride * sizeof(int16_t);
}

/* Lay a tile out in sf_tile_bytes() of memory. Patches start as zeros: the odd element at the end of one stays zero. */
void sf_tile_open(sf_tile* tile, void* memory, uint32_t row_tile, uint32_t rows, uint32_t length)
{
    uint8_t* at = (uint8_t*)memory;
    shape(tile, row_tile, rows, length);
    tile->words = (int16_t*)(void*)at;
    at += (size_t)word_bytes(tile);
    at = sf_rows_carve(&tile->rows, at, tile->capacity);
    tile->acc = at;
    at += (size_t)tile->patch_count * tile->capacity * sizeof(int64_t);
    tile->patches = (int16_t*)(void*)at;
    sf_fill(tile->patches, 0, (size_t)tile->patch_count * tile->stride * sizeof(int16_t));

    const sf_dot fast = sf_dot_4x16_x86();
    tile->dot = fast != NULL ? fast : sf_dot_4x16;
}

/* Put elements k .. k+count-1 of one row into its panel; returns the sum of their magnitudes. */
static int64_t scatter(const sf_tile* tile, uint32_t row, uint32_t k, const int16_t* w, uint32_t count)
{
    const size_t step = 2 * (size_t)tile->width;
    int16_t* base = tile->words + ((size_t)(row / tile->width) * tile->pairs * tile->width + row % tile->width) * 2;
    uint32_t i = 0;
    int32_t sum = 0; /* count <= SF_CHUNK */
    if ((k & 1u) && count > 0) {
        base[(k >> 1) * step + 1] = w[0];
        i = 1;
    }
    for (; i + 1 < count; i += 2)
        sf_copy(base + ((k + i) >> 1) * step, w + i, 2 * sizeof *w);
    if (i < count)
        base[((k + i) >> 1) * step] = w[i];
    for (i = 0; i < count; i++) {
        const int32_t v = w[i];
        sum += v < 0 ? -v : v;
    }
    return sum;
}

/* Stage rows first_row .. first_row+count-1 of the operator's weights, with their biases and scales. */
void sf_tile_stage(sf_tile* tile, const sf_call* call, uint32_t first_row, uint32_t count)
{
    const uint32_t end = (first_row + count) * tile->length;
    int16_t chunk[SF_CHUNK];
    /* rows that only fill up the last panel, and the odd element at the end of a row, must be zero */
    if ((tile->length & 1u) || count % tile->width != 0)
        sf_fill(tile->words, 0, (size_t)tile->capacity * tile->stride * sizeof(int16_t));
    sf_fill(tile->rows.reach, 0, count * sizeof *tile->rows.reach);
    tile->count = count;
    uint32_t row = 0, k = 0;
    for (uint32_t e = first_row * tile->length; e < end;) {
        const uint32_t size = sf_min_u32(SF_CHUNK - e % SF_CHUNK, end - e);
        sf_stage_s16(call->pass, (uint32_t)call->op->weight, e, size, chunk);
        e += size;
        for (uint32_t at = 0; at < size;) {
            const uint32_t run = sf_min_u32(size - at, tile->length - k);
            tile->rows.reach[row] += scatter(tile, row, k, chunk + at, run);
            at += run;
            k += run;
            if (k == tile->length) {
                k = 0;
                row++;
            }
        }
    }
    sf_rows_prepare(&tile->rows, call, first_row, count);
}

/* Fill the first `count` patches with rows that lie one after the other. */
SF_CLONES
void sf_tile_patches(const sf_tile* tile, const int8_t* x, uint32_t count, int32_t zero)
{
    if (tile->stride == tile->length)
        sf_widen(x, (int32_t)(count * tile->length), zero, tile->patches);
    else
        for (uint32_t p = 0; p < count; p++)
            sf_widen(x + (size_t)p * tile->length, (int32_t)tile->length, zero, tile->patches + (size_t)p * tile->stride);
}

static void multiply_narrow(const sf_tile* tile, uint32_t patches, void* y, size_t at, size_t step)
{
    int32_t* acc = (int32_t*)tile->acc;
    const size_t panel = (size_t)tile->width * tile->stride;
    for (uint32_t r = 0; r < tile->count; r += tile->width)
        tile->dot(tile->words + r / tile->width * panel, tile->patches, tile->stride, tile->pairs, acc + r, tile->capacity);
    sf_rows_narrow(&tile->rows, acc, tile->capacity, tile->count, patches, y, at, step);
}

/* Blocks of SF_BLOCK products in int32 (256 * 32768 * 255 < 2^31; contract, section 3), summed in int64. */
static void multiply_wide(const sf_tile* tile, uint32_t patches, void* y, size_t at, size_t step)
{
    int64_t* acc = (int64_t*)tile->acc;
    const size_t panel = (size_t)tile->width * tile->stride;
    sf_fill(acc, 0, (size_t)tile->patch_count * tile->capacity * sizeof *acc);
    for (uint32_t r = 0; r < tile->count; r += tile->width)
        for (uint32_t k = 0; k < tile->pairs; k += SF_BLOCK / 2) {
            int32_t part[SF_PATCHES * SF_PANEL];
            tile->dot(tile->words + r / tile->width * panel + 2 * (size_t)k * tile->width, tile->patches + 2 * (size_t)k,
                      tile->stride, sf_min_u32(SF_BLOCK / 2, tile->pairs - k), part, tile->width);
            for (uint32_t p = 0; p < patches; p++)
                for (uint32_t i = 0; i < tile->width; i++)
                    acc[(size_t)p * tile->capacity + r + i] += part[p * tile->width + i];
        }
    sf_rows_wide(&tile->rows, acc, tile->capacity, tile->count, patches, y, at, step);
}

/* Outputs of the first `patches` patches: patch p writes the staged rows to y[at + p*step ..]. */
void sf_tile_multiply(const sf_tile* tile, uint32_t patches, void* y, size_t at, size_t step)
{
    if (tile->rows.narrow)
        multiply_narrow(tile, patches, y, at, step);
    else
        multiply_wide(tile, patches, y, at, step);
}
