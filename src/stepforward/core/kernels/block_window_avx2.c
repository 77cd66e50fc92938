/* sf_block_window with the multiply-add of AVX2: 4 positions x 16 channels at a time, every accumulator in a register. */
#include "host.h"

#if SF_X86
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define UNROLL _Pragma("GCC unroll 4")

AVX2 static inline __attribute__((always_inline)) __m256i load(const int16_t* at)
{
    return _mm256_loadu_si256((const __m256i_u*)(const void*)at);
}

AVX2 static void window(const sf_block* b, const int16_t* const* patches, const int16_t* w, size_t channel, int32_t* acc, size_t acc_stride)
{
    const int16_t* x[4];
    __m256i low[4], high[4];
    UNROLL for (int p = 0; p < 4; p++)
    {
        x[p] = patches[p] + channel;
        low[p] = high[p] = _mm256_setzero_si256();
    }
    for (size_t s = 0; s < b->segments; s++, w += 2 * SF_PANEL) {
        const size_t at = b->offsets[s];
        const __m256i words = load(w), more = load(w + SF_PANEL);
        UNROLL for (int p = 0; p < 4; p++)
        {
            low[p] = _mm256_add_epi32(low[p], _mm256_madd_epi16(words, load(x[p] + at)));
            high[p] = _mm256_add_epi32(high[p], _mm256_madd_epi16(more, load(x[p] + at + SF_PANEL)));
        }
    }
    UNROLL for (int p = 0; p < 4; p++)
    {
        __m256i_u* out = (__m256i_u*)(void*)(acc + (size_t)p * acc_stride);
        _mm256_storeu_si256(out, low[p]);
        _mm256_storeu_si256(out + 1, high[p]);
    }
}

void sf_block_window_avx2(const sf_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++)
        for (uint32_t first = 0; first < SF_BLOCK_PATCHES; first += 4)
            window(b, patches + first, b->words + j * b->panel, j * 2 * (size_t)SF_PANEL, acc + first * acc_stride + j * SF_PANEL,
                   acc_stride);
}

#endif
