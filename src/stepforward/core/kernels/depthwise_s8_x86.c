/* The sums of a depthwise convolution with the multiply-add of AVX2: two taps of a channel side by side, sixteen channels wide.
 * Compilers make a detour through memory of the widening from s8, at a tenth of the speed. */
#include "depthwise_s8.h"

#if SF_X86
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((target("avx2"), always_inline))
#define UNROLL _Pragma("GCC unroll 4")

AVX2_INLINE __m256i load_w(const int16_t* w) { return _mm256_loadu_si256((const __m256i_u*)(const void*)w); }

AVX2_INLINE __m256i load_x(const int8_t* x, __m256i zero)
{
    return _mm256_sub_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i_u*)(const void*)x)), zero);
}

/* Channels 0-3, 8-11 are summed in low, 4-7, 12-15 in high: the order in which the unpack instructions give them. */
AVX2_INLINE void add_pair(__m256i w0, __m256i x0, __m256i w1, __m256i x1, __m256i* low, __m256i* high)
{
    *low = _mm256_add_epi32(*low, _mm256_madd_epi16(_mm256_unpacklo_epi16(w0, w1), _mm256_unpacklo_epi16(x0, x1)));
    *high = _mm256_add_epi32(*high, _mm256_madd_epi16(_mm256_unpackhi_epi16(w0, w1), _mm256_unpackhi_epi16(x0, x1)));
}

AVX2_INLINE void sum_blocks(const sf_window* v, uint32_t c, const int blocks, int32_t* acc)
{
    const __m256i zero = _mm256_set1_epi16((int16_t)v->zero), none = _mm256_setzero_si256();
    const size_t w_step = v->w_step, x_step = v->x_step, w_row = v->w_row, x_row = v->x_row;
    const int16_t *w_line = v->w + c, *w;
    const int8_t *x_line = v->x + c, *x;
    __m256i low[3], high[3];
    int32_t ky = 0, kx;
    UNROLL for (int b = 0; b < blocks; b++) low[b] = high[b] = none;
    for (; ky + 2 <= v->taps_y; ky += 2, w_line += 2 * w_row, x_line += 2 * x_row)
        for (kx = 0, w = w_line, x = x_line; kx < v->taps_x; kx++, w += w_step, x += x_step)
            UNROLL for (int b = 0; b < blocks; b++)
                add_pair(load_w(w + 16 * b), load_x(x + 16 * b, zero), load_w(w + w_row + 16 * b),
                         load_x(x + x_row + 16 * b, zero), &low[b], &high[b]);
    if (ky < v->taps_y) {
        for (kx = 0, w = w_line, x = x_line; kx + 2 <= v->taps_x; kx += 2, w += 2 * w_step, x += 2 * x_step)
            UNROLL for (int b = 0; b < blocks; b++)
                add_pair(load_w(w + 16 * b), load_x(x + 16 * b, zero), load_w(w + w_step + 16 * b),
                         load_x(x + x_step + 16 * b, zero), &low[b], &high[b]);
        if (kx < v->taps_x)
            UNROLL for (int b = 0; b < blocks; b++)
                add_pair(load_w(w + 16 * b), load_x(x + 16 * b, zero), none, none, &low[b], &high[b]);
    }
    UNROLL for (int b = 0; b < blocks; b++)
    {
        __m256i_u* out = (__m256i_u*)(void*)(acc + c + 16 * b);
        _mm256_storeu_si256(out, _mm256_permute2x128_si256(low[b], high[b], 0x20));
        _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(low[b], high[b], 0x31));
    }
}

AVX2 static void sum_avx2(const sf_window* v, uint32_t count, int32_t* acc)
{
    uint32_t c = 0;
    for (; c + 48 <= count; c += 48)
        sum_blocks(v, c, 3, acc);
    for (; c + 16 <= count; c += 16)
        sum_blocks(v, c, 1, acc);
    if (c < count)
        sf_window_sum(v, c, count, acc);
}

sf_window_kernel sf_window_x86(void) { return __builtin_cpu_supports("avx2") ? sum_avx2 : NULL; }

#else

sf_window_kernel sf_window_x86(void) { return NULL; }

#endif
