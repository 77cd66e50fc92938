/* Rows of weights transformed with AVX2, sixteen channels at a time: those of small tiles as sfi_winograd_row does,
 * which takes other numbers of channels, and those of large tiles. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/plain/plain.h"

#if SFI_X86
#include <immintrin.h>

#define UNROLL _Pragma("GCC unroll 9")

SFI_AVX2_INLINE void of_weights(const __m256i g[3], __m256i u[4])
{
    const __m256i ends = _mm256_add_epi16(g[0], g[2]);
    u[0] = g[0];
    u[1] = _mm256_add_epi16(ends, g[1]);
    u[2] = _mm256_sub_epi16(ends, g[1]);
    u[3] = g[2];
}

SFI_AVX2_INLINE int64_t sum_of(__m256i v)
{
    int32_t lanes[8];
    int64_t sum = 0;
    _mm256_storeu_si256((__m256i_u*)(void*)lanes, v);
    for (int i = 0; i < 8; i++)
        sum += lanes[i];
    return sum;
}

SFI_AVX2_INLINE void transform(const __m256i g[9], size_t step, int16_t* u)
{
    __m256i between[3][4];
    UNROLL for (int i = 0; i < 3; i++)
        of_weights(g + 3 * i, between[i]);
    UNROLL for (size_t j = 0; j < 4; j++) {
        const __m256i column[3] = {between[0][j], between[1][j], between[2][j]};
        __m256i out[4];
        of_weights(column, out);
        UNROLL for (size_t i = 0; i < 4; i++)
            _mm256_storeu_si256((__m256i_u*)(void*)(u + (4 * j + i) * step), out[i]);
    }
}

SFI_AVX2_INLINE __m256i times(__m256i a, int shift) { return _mm256_slli_epi16(a, shift); }

SFI_AVX2_INLINE void of_weights_large(const __m256i g[3], __m256i u[6])
{
    const __m256i ends = _mm256_add_epi16(g[0], g[2]), far = _mm256_add_epi16(g[0], times(g[2], 2)),
                  twice = times(g[1], 1);
    u[0] = _mm256_add_epi16(times(g[0], 2), times(g[0], 1));
    u[1] = times(_mm256_add_epi16(ends, g[1]), 2);
    u[2] = times(_mm256_sub_epi16(ends, g[1]), 2);
    u[3] = _mm256_add_epi16(far, twice);
    u[4] = _mm256_sub_epi16(far, twice);
    u[5] = _mm256_add_epi16(times(g[2], 3), times(g[2], 2));
}

SFI_AVX2_INLINE void transform_large(const __m256i g[9], size_t step, int16_t* u)
{
    __m256i between[3][6];
    UNROLL for (int i = 0; i < 3; i++)
        of_weights_large(g + 3 * i, between[i]);
    UNROLL for (size_t j = 0; j < 6; j++) {
        const __m256i column[3] = {between[0][j], between[1][j], between[2][j]};
        __m256i out[6];
        of_weights_large(column, out);
        UNROLL for (size_t i = 0; i < 6; i++)
            _mm256_storeu_si256((__m256i_u*)(void*)(u + (6 * j + i) * step), out[i]);
    }
}

/* Returns the largest magnitude of a weight where tiles are large, and of nine weights together where they are small.
 * Sums of nine in 16 bits: exact where the row fits; where it does not, the unsigned sum of magnitudes saturates above
 * 32767. */
SFI_AVX2_INLINE uint32_t transform_row(const int16_t* line, uint32_t channels, size_t step, int16_t* u, int64_t* sum,
                                       int64_t* positive, const int large)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i most = _mm256_setzero_si256(), all = most, sizes = most;
    for (uint32_t c = 0; c < channels; c += 16) {
        __m256i g[9], nine = _mm256_setzero_si256(), size = nine;
        UNROLL for (size_t tap = 0; tap < 9; tap++) {
            g[tap] = _mm256_loadu_si256((const __m256i_u*)(const void*)(line + tap * channels + c));
            const __m256i magnitude = _mm256_abs_epi16(g[tap]);
            nine = _mm256_add_epi16(nine, g[tap]);
            size = _mm256_adds_epu16(size, magnitude);
            most = large ? _mm256_max_epu16(most, magnitude) : most;
        }
        most = large ? most : _mm256_max_epu16(most, size);
        all = _mm256_add_epi32(all, _mm256_madd_epi16(nine, ones));
        sizes = _mm256_add_epi32(sizes, _mm256_madd_epi16(size, ones));
        if (large)
            transform_large(g, step, u + c);
        else
            transform(g, step, u + c);
    }
    const int64_t total = sum_of(all);
    uint16_t lanes[16];
    uint32_t largest = 0;
    _mm256_storeu_si256((__m256i_u*)(void*)lanes, most);
    for (int i = 0; i < 16; i++)
        largest = sfi_max_u32(largest, lanes[i]);
    *sum = total;
    *positive = (sum_of(sizes) + total) / 2;
    return largest;
}

SFI_AVX2 uint32_t sfi_winograd_row_avx2(const int16_t* line, uint32_t channels, size_t step, int16_t* u, int64_t* sum,
                                        int64_t* positive)
{
    if (channels % 16 != 0)
        return sfi_winograd_row(line, channels, step, u, sum, positive);
    return transform_row(line, channels, step, u, sum, positive, 0);
}

SFI_AVX2 uint32_t sfi_large_row_avx2(const int16_t* line, uint32_t channels, size_t step, int16_t* u, int64_t* sum,
                                     int64_t* positive)
{
    return transform_row(line, channels, step, u, sum, positive, 1);
}

#endif
