/* sf_block_dot with the multiply-add of AVX2: 4 patches x 16 rows at a time, every accumulator in a register. */
#include "host.h"

#if SF_X86
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define UNROLL _Pragma("GCC unroll 4")

AVX2 static void dot(const sf_block* b, const int16_t* const* patches, const int16_t* w, int32_t* acc, size_t acc_stride)
{
    const int16_t* x[4];
    __m256i low[4], high[4];
    UNROLL for (int p = 0; p < 4; p++)
    {
        x[p] = patches[p];
        low[p] = high[p] = _mm256_setzero_si256();
    }
    for (size_t s = 0; s < b->segments; s++) {
        size_t at = b->offsets[s];
        const int16_t* end = w + b->pairs * 2 * SF_PANEL;
        for (; w != end; w += 2 * SF_PANEL, at += 2) {
            const __m256i words = _mm256_loadu_si256((const __m256i_u*)(const void*)w);
            const __m256i more = _mm256_loadu_si256((const __m256i_u*)(const void*)(w + SF_PANEL));
            UNROLL for (int p = 0; p < 4; p++)
            {
                int32_t pair;
                sf_copy(&pair, x[p] + at, sizeof pair);
                const __m256i both = _mm256_set1_epi32(pair);
                low[p] = _mm256_add_epi32(low[p], _mm256_madd_epi16(words, both));
                high[p] = _mm256_add_epi32(high[p], _mm256_madd_epi16(more, both));
            }
        }
    }
    UNROLL for (int p = 0; p < 4; p++)
    {
        __m256i_u* out = (__m256i_u*)(void*)(acc + (size_t)p * acc_stride);
        _mm256_storeu_si256(out, low[p]);
        _mm256_storeu_si256(out + 1, high[p]);
    }
}

void sf_block_dot_avx2(const sf_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++)
        for (uint32_t first = 0; first < SF_BLOCK_PATCHES; first += 4)
            dot(b, patches + first, b->words + j * b->panel, acc + first * acc_stride + j * SF_PANEL, acc_stride);
}

#endif
