/* sfi_winograd_band with AVX2, sixteen channels at a time, and the same with the registers of AVX-512, which hold a
 * whole tile; other numbers of channels go the plain way. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/plain/plain.h"
#include "multiply/host/winograd.h"

#if SFI_X86
#include <immintrin.h>

#define UNROLL _Pragma("GCC unroll 4")

SFI_AVX2_INLINE void of_inputs(const __m256i d[4], __m256i v[4])
{
    const __m256i first = _mm256_sub_epi16(d[0], d[2]), last = _mm256_sub_epi16(d[3], d[1]);
    v[0] = _mm256_add_epi16(first, first);
    v[1] = _mm256_add_epi16(d[1], d[2]);
    v[2] = _mm256_sub_epi16(d[2], d[1]);
    v[3] = _mm256_add_epi16(last, last);
}

/* The transforms along columns x of a patch. */
SFI_AVX2_INLINE void go_down(const int16_t* d, size_t across, size_t down, const size_t x, __m256i between[4][4])
{
    __m256i in[4], out[4];
    UNROLL for (size_t y = 0; y < 4; y++)
        in[y] = _mm256_loadu_si256((const __m256i_u*)(const void*)(d + x * across + y * down));
    of_inputs(in, out);
    UNROLL for (size_t i = 0; i < 4; i++)
        between[i][x] = out[i];
}

/* A tile has two columns in common with its left neighbour. */
SFI_AVX2_INLINE void band(const int16_t* const* patches, size_t across, size_t down, uint32_t channels, int16_t* v)
{
    const size_t point = (size_t)SFI_WINOGRAD_TILES * channels;
    if (channels % 16 != 0) {
        sfi_winograd_band(patches, across, down, channels, v);
        return;
    }
    for (uint32_t c = 0; c < channels; c += 16) {
        __m256i between[4][4];
        for (uint32_t t = 0; t < SFI_WINOGRAD_TILES; t++) {
            const int16_t* d = patches[t] + c;
            int16_t* to = v + (size_t)t * channels + c;
            if (t > 0 && patches[t] == patches[t - 1] + 2 * across) {
                UNROLL for (size_t i = 0; i < 4; i++) {
                    between[i][0] = between[i][2];
                    between[i][1] = between[i][3];
                }
            } else {
                go_down(d, across, down, 0, between);
                go_down(d, across, down, 1, between);
            }
            go_down(d, across, down, 2, between);
            go_down(d, across, down, 3, between);
            UNROLL for (size_t i = 0; i < 4; i++) {
                __m256i out[4];
                of_inputs(between[i], out);
                UNROLL for (size_t j = 0; j < 4; j++)
                    _mm256_storeu_si256((__m256i_u*)(void*)(to + (4 * j + i) * point), out[j]);
            }
        }
    }
}

SFI_AVX2 void sfi_winograd_band_avx2(const int16_t* const* patches, size_t across, size_t down, uint32_t channels,
                                     int16_t* v)
{
    band(patches, across, down, channels, v);
}

SFI_AVX512 void sfi_winograd_band_avx512(const int16_t* const* patches, size_t across, size_t down, uint32_t channels,
                                         int16_t* v)
{
    band(patches, across, down, channels, v);
}

#endif
