/* Large tiles of Winograd (winograd.h) with AVX2: sixteen outputs from thirty-six products, for weights of 8 bits. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/targets.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/avx2/lanes_avx2.h"
#include "multiply/host/winograd.h"
#include "multiply/rows.h"

#if SFI_X86

#define UNROLL _Pragma("GCC unroll 6")
#define FOUR ((size_t)SFI_LARGE_TILES)
#define SUMS ((size_t)SFI_WINOGRAD_TILES * SFI_PANEL) /* of a point, or of an output */

SFI_AVX2_INLINE void store(void* at, __m256i v) { _mm256_storeu_si256((__m256i_u*)at, v); }
SFI_AVX2_INLINE __m256i add(__m256i a, __m256i b) { return _mm256_add_epi16(a, b); }
SFI_AVX2_INLINE __m256i sub(__m256i a, __m256i b) { return _mm256_sub_epi16(a, b); }
SFI_AVX2_INLINE __m256i times(__m256i a, int shift) { return _mm256_slli_epi16(a, shift); }

SFI_AVX2_INLINE void of_inputs(const __m256i d[6], __m256i v[6])
{
    const __m256i even = sub(d[4], d[2]), odd = sub(d[3], d[1]), twice = times(odd, 1);
    const __m256i near = sub(times(d[2], 2), d[4]), far = sub(times(d[1], 2), d[3]);
    v[0] = add(times(sub(d[0], d[2]), 2), even);
    v[1] = add(near, far);
    v[2] = sub(near, far);
    v[3] = add(even, twice);
    v[4] = sub(even, twice);
    v[5] = sub(sub(d[5], d[3]), times(odd, 2));
}

/* m: one point after the other, `step` elements apart. */
SFI_AVX2_INLINE void of_products(const int32_t* m, size_t step, __m256i y[4])
{
    const __m256i first = sfi_load(m + step), second = sfi_load(m + 2 * step), third = sfi_load(m + 3 * step),
                  fourth = sfi_load(m + 4 * step);
    const __m256i near = _mm256_add_epi32(first, second), apart = _mm256_sub_epi32(first, second),
                  far = _mm256_add_epi32(third, fourth), wide = _mm256_sub_epi32(third, fourth);
    y[0] = _mm256_add_epi32(_mm256_add_epi32(sfi_load(m), near), far);
    y[1] = _mm256_add_epi32(apart, _mm256_slli_epi32(wide, 1));
    y[2] = _mm256_add_epi32(near, _mm256_slli_epi32(far, 2));
    y[3] = _mm256_add_epi32(_mm256_slli_epi32(wide, 2), sfi_load(m + 5 * step));
    y[3] = _mm256_add_epi32(apart, _mm256_slli_epi32(y[3], 1));
}

/* Columns `first` and the next one of a tile, transformed along the column. */
SFI_AVX2_INLINE void go_down(const int16_t* d, size_t across, size_t down, const size_t first, __m256i between[6][6])
{
    UNROLL for (size_t x = first; x < first + 2; x++) {
        __m256i in[6], out[6];
        UNROLL for (size_t y = 0; y < 6; y++)
            in[y] = sfi_load(d + x * across + y * down);
        of_inputs(in, out);
        UNROLL for (size_t i = 0; i < 6; i++)
            between[i][x] = out[i];
    }
}

SFI_AVX2 void sfi_large_band_avx2(const sfi_tiles* tiles, size_t across, size_t down, uint32_t channels, int16_t* v)
{
    const int16_t* const* patches = tiles->patches;
    const size_t point = (size_t)tiles->count * channels;
    for (uint32_t c = 0; c < channels; c += 16) {
        __m256i between[6][6];
        for (size_t t = 0; t < tiles->count; t++) {
            const int16_t* d = patches[t] + c;
            int16_t* to = v + t * channels + c;
            if (t > 0 && patches[t] == patches[t - 1] + 4 * across) {
                UNROLL for (size_t i = 0; i < 6; i++) {
                    between[i][0] = between[i][4];
                    between[i][1] = between[i][5];
                }
            } else {
                go_down(d, across, down, 0, between);
            }
            go_down(d, across, down, 2, between);
            go_down(d, across, down, 4, between);
            for (size_t i = 0; i < 6; i++) {
                __m256i out[6];
                of_inputs(between[i], out);
                UNROLL for (size_t j = 0; j < 6; j++)
                    store(to + (6 * j + i) * point, out[j]);
            }
        }
    }
}

/* Products of four tiles with the words of a point. */
SFI_AVX2_INLINE void multiply_point(const int16_t* words, const int16_t* x, uint32_t channels, int32_t* m)
{
    const int16_t *second = x + channels, *third = second + channels, *fourth = third + channels;
    __m256i sum[FOUR][2];
    UNROLL for (size_t t = 0; t < FOUR; t++) UNROLL
        for (size_t half = 0; half < 2; half++) {
            sum[t][half] = _mm256_setzero_si256();
            SFI_KEEP(sum[t][half]);
        }
    for (uint32_t c = 0; c < channels; c += 16, words += 16 * SFI_PANEL)
        _Pragma("GCC unroll 8") for (size_t k = 0; k < 8; k++)
        {
            __m256i low = sfi_load(words + k * 2 * SFI_PANEL), high = sfi_load(words + k * 2 * SFI_PANEL + SFI_PANEL);
            SFI_KEEP(high);
            UNROLL for (size_t t = 0; t < FOUR; t++) {
                int32_t pair;
                sfi_copy(&pair, (t == 0 ? x : t == 1 ? second : t == 2 ? third : fourth) + c + 2 * k, sizeof pair);
                const __m256i both = _mm256_set1_epi32(pair);
                sum[t][0] = _mm256_add_epi32(sum[t][0], _mm256_madd_epi16(low, both));
                sum[t][1] = _mm256_add_epi32(sum[t][1], _mm256_madd_epi16(high, both));
                SFI_KEEP(sum[t][0]);
                SFI_KEEP(sum[t][1]);
            }
        }
    UNROLL for (size_t t = 0; t < FOUR; t++) {
        store(m + t * SFI_PANEL, sum[t][0]);
        store(m + t * SFI_PANEL + 8, sum[t][1]);
    }
}

/* m[column][row][tile][row of the panel] */
SFI_AVX2 static void multiply(const int16_t* words, const int16_t* v, uint32_t channels, size_t tiles, int32_t* m)
{
    for (size_t p = 0; p < SFI_LARGE_POINTS; p++, m += SUMS, words += (size_t)SFI_PANEL * channels)
        for (size_t t = 0; t < tiles; t += FOUR, v += FOUR * channels)
            multiply_point(words, v, channels, m + t * SFI_PANEL);
}

/* The sixteen sums of eight rows of a tile. m: those of its points. */
SFI_AVX2_INLINE void combine(const int32_t* m, __m256i y[16])
{
    const __m256i ninth = _mm256_set1_epi32(SFI_LARGE_NINTH);
    int32_t between[4][6][8];
    UNROLL for (size_t j = 0; j < 6; j++) {
        __m256i out[4];
        of_products(m + 6 * j * SUMS, SUMS, out);
        UNROLL for (size_t i = 0; i < 4; i++)
            store(between[i][j], out[i]);
    }
    UNROLL for (size_t i = 0; i < 4; i++) {
        of_products(between[i][0], 8, y + 4 * i);
        UNROLL for (size_t j = 0; j < 4; j++)
            y[4 * i + j] = _mm256_srai_epi32(_mm256_mullo_epi32(y[4 * i + j], ninth), 6);
    }
}

SFI_AVX2 void sfi_large_sums_avx2(const int16_t* words, const int16_t* v, uint32_t channels, const sfi_tiles* tiles,
                                  int32_t* sums)
{
    int32_t m[SFI_LARGE_POINTS * SUMS];
    multiply(words, v, channels, tiles->count, m);
    for (size_t t = 0; t < 2 * tiles->count; t++) {
        __m256i y[16];
        combine(m + 8 * t, y);
        for (size_t q = 0; q < 16; q++)
            store(sums + q * SUMS + 8 * t, y[q]);
    }
}

SFI_AVX2 void sfi_large_avx2(const int16_t* words, const int16_t* v, uint32_t channels, const sfi_rows* rows,
                             uint32_t count, const sfi_tiles* tiles, int8_t* y)
{
    int32_t m[SFI_LARGE_POINTS * SUMS];
    const sfi_lanes lanes = sfi_lanes_load(rows, 0, count);
    const int direct = tiles->whole && count >= SFI_PANEL;
    multiply(words, v, channels, tiles->count, m);
    for (size_t t = 0; t < tiles->count; t++) {
        __m256i sum[2][16];
        combine(m + t * SFI_PANEL, sum[0]);
        combine(m + t * SFI_PANEL + 8, sum[1]);
        for (size_t q = 0; q < 16; q += 4) {
            __m256i four[4][2];
            int8_t spare[4][SFI_PANEL], *out[4];
            for (size_t i = 0; i < 4; i++) {
                four[i][0] = _mm256_add_epi32(sum[0][q + i], lanes.bias[0]);
                four[i][1] = _mm256_add_epi32(sum[1][q + i], lanes.bias[1]);
                out[i] = direct ? y + tiles->at[t] + tiles->on[q + i] : spare[i];
            }
            sfi_lanes_store(&lanes, four, out);
            for (size_t i = 0; i < 4; i++)
                if (!direct && (tiles->inside[t] >> (q + i) & 1u))
                    sfi_copy(y + tiles->at[t] + tiles->on[q + i], spare[i], lanes.count);
        }
    }
}

#endif
