/* The largest values of windows with AVX2, 32 or 16 channels in a register over all taps. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/max_line.h"

#if SFI_X86
#include <immintrin.h>

SFI_AVX2_INLINE void wide(const sfi_max_line* v, const int8_t* x, int32_t taps_y, int32_t taps_x, int8_t* y)
{
    __m256i most = _mm256_set1_epi8(v->lo);
    for (int32_t ky = 0; ky < taps_y; ky++)
        for (int32_t kx = 0; kx < taps_x; kx++)
            most = _mm256_max_epi8(most, _mm256_loadu_si256((const __m256i_u*)(const void*)(x + (size_t)ky * v->row +
                                                                                            (size_t)kx * v->step)));
    _mm256_storeu_si256((__m256i_u*)(void*)y, _mm256_min_epi8(most, _mm256_set1_epi8(v->hi)));
}

SFI_AVX2_INLINE void half(const sfi_max_line* v, const int8_t* x, int32_t taps_y, int32_t taps_x, int8_t* y)
{
    __m128i most = _mm_set1_epi8(v->lo);
    for (int32_t ky = 0; ky < taps_y; ky++)
        for (int32_t kx = 0; kx < taps_x; kx++)
            most = _mm_max_epi8(
                most, _mm_loadu_si128((const __m128i_u*)(const void*)(x + (size_t)ky * v->row + (size_t)kx * v->step)));
    _mm_storeu_si128((__m128i_u*)(void*)y, _mm_min_epi8(most, _mm_set1_epi8(v->hi)));
}

/* The last register of a position overlaps the one before, or, with fewer channels than it holds, the next position,
 * which is written after it. */
SFI_AVX2_INLINE void positions(const sfi_max_line* v, int32_t taps_y, int32_t taps_x)
{
    const uint32_t channels = v->channels;
    const int8_t* x = v->x;
    int8_t* y = v->y;
    for (uint32_t i = 0; i < v->positions; i++, x += v->stride, y += channels)
        if (channels >= 32) {
            for (uint32_t c = 0; c < channels; c += 32) {
                const uint32_t at = sfi_min_u32(c, channels - 32);
                wide(v, x + at, taps_y, taps_x, y + at);
            }
        } else {
            half(v, x, taps_y, taps_x, y);
            if (channels > 16)
                half(v, x + channels - 16, taps_y, taps_x, y + channels - 16);
        }
}

SFI_AVX2 void sfi_max_line_avx2(const sfi_max_line* v)
{
    if (v->channels < 16 && !v->loose)
        sfi_max_line_any(v);
    else if (v->taps_y == 2 && v->taps_x == 2)
        positions(v, 2, 2);
    else if (v->taps_y == 1 && v->taps_x == 1) /* every so many positions, as a shortcut takes them */
        positions(v, 1, 1);
    else
        positions(v, v->taps_y, v->taps_x);
}

#endif
