/* Sums of the inputs of open positions with AVX2: two positions in a product of bytes, which are 0 or 1 on one side. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/open_tile.h"

#if SFI_X86
#include <immintrin.h>

#define LANES 16u
#define VECTORS (SFI_OPEN_SIDE / LANES)

/* Pairs of positions whose sums fit 16 bits: 254 times -128. */
#define MOST_PAIRS 127u

typedef struct pairs {
    __m256i x[MOST_PAIRS][VECTORS];           /* of two positions, input by input */
    uint16_t open[MOST_PAIRS][SFI_OPEN_SIDE]; /* which of the two are, channel by channel */
    int16_t counts[SFI_OPEN_SIDE];            /* open positions of each channel */
} pairs;

SFI_AVX2_INLINE __m128i bytes_of(const int8_t* from, uint32_t count)
{
    int8_t some[LANES] = {0};
    if (count >= LANES)
        return _mm_loadu_si128((const __m128i_u*)(const void*)from);
    sfi_copy(some, from, count);
    return _mm_loadu_si128((const __m128i_u*)(const void*)some);
}

SFI_AVX2_INLINE __m256i interleaved(__m128i a, __m128i b)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi8(a, b)), _mm_unpackhi_epi8(a, b), 1);
}

/* 1 where an output may move. */
SFI_AVX2_INLINE __m128i open_of(const sfi_open_tile* t, const int8_t* y, uint32_t count)
{
    const __m128i given = bytes_of(y, count), above = _mm_cmpgt_epi8(given, _mm_set1_epi8(t->lo));
    return _mm_and_si128(_mm_and_si128(above, _mm_cmpgt_epi8(_mm_set1_epi8(t->hi), given)), _mm_set1_epi8(1));
}

/* Up to `2 * MOST_PAIRS` positions; the second of the last pair may be missing. */
SFI_AVX2_INLINE void put_pairs(const sfi_open_tile* t, const int8_t* x, const int8_t* y, uint32_t positions, pairs* to)
{
    const __m256i ones = _mm256_set1_epi8(1);
    const __m128i none = _mm_setzero_si128();
    sfi_fill(to->counts, 0, sizeof to->counts);
    for (uint32_t p = 0; p < positions; p += 2, x += 2 * (size_t)t->x_step, y += 2 * (size_t)t->y_step) {
        const int both = p + 1 < positions;
        for (uint32_t i = 0; i < t->inputs; i += LANES)
            to->x[p / 2][i / LANES] =
                interleaved(bytes_of(x + i, t->inputs - i), both ? bytes_of(x + t->x_step + i, t->inputs - i) : none);
        for (uint32_t c = 0; c < t->channels; c += LANES) {
            const __m256i open = interleaved(open_of(t, y + c, t->channels - c),
                                             both ? open_of(t, y + t->y_step + c, t->channels - c) : none);
            __m256i_u* counts = (__m256i_u*)(void*)(to->counts + c);
            _mm256_storeu_si256((__m256i_u*)(void*)(to->open[p / 2] + c), open);
            _mm256_storeu_si256(counts, _mm256_add_epi16(_mm256_loadu_si256(counts), _mm256_maddubs_epi16(open, ones)));
        }
    }
}

SFI_AVX2_INLINE void add_products(int32_t* products, __m256i sums, int32_t less, int32_t error)
{
    const __m256i by = _mm256_set1_epi32(error), without = _mm256_set1_epi32(less);
    const __m128i halves[2] = {_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1)};
    for (uint32_t h = 0; h < 2; h++) {
        __m256i_u* to = (__m256i_u*)(void*)(products + 8 * h);
        const __m256i wide = _mm256_sub_epi32(_mm256_cvtepi16_epi32(halves[h]), without);
        _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), _mm256_mullo_epi32(wide, by)));
    }
}

SFI_AVX2_INLINE void each_channel(const sfi_open_tile* t, const pairs* from, uint32_t count, uint32_t vectors,
                                  int32_t* products)
{
    for (uint32_t c = 0; c < t->channels; c++, products += SFI_OPEN_SIDE) {
        __m256i sums[VECTORS] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                                 _mm256_setzero_si256()};
        if (t->errors[c] == 0)
            continue;
        for (uint32_t p = 0; p < count; p++) {
            const __m256i open = _mm256_set1_epi16((int16_t)from->open[p][c]);
            for (uint32_t v = 0; v < vectors; v++)
                sums[v] = _mm256_add_epi16(sums[v], _mm256_maddubs_epi16(open, from->x[p][v]));
        }
        for (uint32_t v = 0; v < vectors; v++)
            add_products(products + v * LANES, sums[v], from->counts[c] * t->zero, t->errors[c]);
    }
}

SFI_AVX2 void sfi_open_tile_avx2(const sfi_open_tile* t, int32_t* products)
{
    pairs some;
    for (uint32_t at = 0, positions; at < t->positions; at += positions) {
        positions = sfi_min_u32(2 * MOST_PAIRS, t->positions - at);
        const uint32_t count = (positions + 1) / 2;
        put_pairs(t, t->x + (size_t)at * t->x_step, t->y + (size_t)at * t->y_step, positions, &some);
        if (t->inputs > 3 * LANES) /* a number that the compiler knows keeps the sums in registers */
            each_channel(t, &some, count, 4, products);
        else if (t->inputs > 2 * LANES)
            each_channel(t, &some, count, 3, products);
        else if (t->inputs > LANES)
            each_channel(t, &some, count, 2, products);
        else
            each_channel(t, &some, count, 1, products);
    }
}

#endif
