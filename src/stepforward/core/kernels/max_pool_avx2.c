/* The largest values of a window with AVX2, 32 or 16 channels in a register over all taps. */
#include "max_pool_s8.h"

#if SF_X86
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static void wide(const sf_max_window* v, uint32_t c, int8_t* y)
{
    __m256i most = _mm256_set1_epi8(-128);
    for (int32_t ky = 0; ky < v->taps_y; ky++)
        for (int32_t kx = 0; kx < v->taps_x; kx++)
            most = _mm256_max_epi8(most, _mm256_loadu_si256((const __m256i_u*)(const void*)(v->x + (size_t)ky * v->row +
                                                                                             (size_t)kx * v->step + c)));
    most = _mm256_min_epi8(_mm256_max_epi8(most, _mm256_set1_epi8(v->lo)), _mm256_set1_epi8(v->hi));
    _mm256_storeu_si256((__m256i_u*)(void*)(y + c), most);
}

AVX2 static void half(const sf_max_window* v, uint32_t c, int8_t* y)
{
    __m128i most = _mm_set1_epi8(-128);
    for (int32_t ky = 0; ky < v->taps_y; ky++)
        for (int32_t kx = 0; kx < v->taps_x; kx++)
            most = _mm_max_epi8(most, _mm_loadu_si128((const __m128i_u*)(const void*)(v->x + (size_t)ky * v->row +
                                                                                      (size_t)kx * v->step + c)));
    most = _mm_min_epi8(_mm_max_epi8(most, _mm_set1_epi8(v->lo)), _mm_set1_epi8(v->hi));
    _mm_storeu_si128((__m128i_u*)(void*)(y + c), most);
}

AVX2 static void max_window(const sf_max_window* v, uint32_t first, uint32_t channels, int8_t* y)
{
    uint32_t c = first;
    for (; c + 32 <= channels; c += 32)
        wide(v, c, y);
    for (; c + 16 <= channels; c += 16)
        half(v, c, y);
    if (c < channels)
        sf_max_window_plain(v, c, channels, y);
}

sf_max_window_kernel sf_max_window_x86(void) { return __builtin_cpu_supports("avx2") ? max_window : NULL; }

#else

sf_max_window_kernel sf_max_window_x86(void) { return NULL; }

#endif
