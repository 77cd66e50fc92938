/* A panel of eight Winograd tiles with AVX2, from products to bytes: sixteen registers hold the sums of one point at a
 * time, so those of all points lie in the first-level cache in between. */
#include "base/machine.h"
#include "base/pass.h"
#include "base/rounding.h"
#include "base/targets.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/avx2/lanes_avx2.h"
#include "multiply/host/winograd.h"
#include "multiply/rows.h"

#if SFI_X86

#define UNROLL _Pragma("GCC unroll 4")
#define SUMS (SFI_WINOGRAD_TILES * SFI_PANEL)

/* Four times the sums of four outputs and eight rows. m: [column][row] of one tile. */
SFI_AVX2_INLINE void combine(const int32_t* m, __m256i four_bias, __m256i y[4])
{
    __m256i up[4], low[4];
    UNROLL for (int j = 0; j < 4; j++) {
        const int32_t* column = m + (size_t)(4 * j) * SUMS;
        const __m256i plus = sfi_load(column + SUMS), minus = sfi_load(column + 2 * SUMS);
        up[j] = _mm256_add_epi32(_mm256_add_epi32(sfi_load(column), plus), minus);
        low[j] = _mm256_add_epi32(_mm256_sub_epi32(plus, minus), sfi_load(column + 3 * SUMS));
    }
    y[0] = _mm256_add_epi32(_mm256_add_epi32(up[0], up[1]), up[2]);
    y[1] = _mm256_add_epi32(_mm256_sub_epi32(up[1], up[2]), up[3]);
    y[2] = _mm256_add_epi32(_mm256_add_epi32(low[0], low[1]), low[2]);
    y[3] = _mm256_add_epi32(_mm256_sub_epi32(low[1], low[2]), low[3]);
    UNROLL for (int q = 0; q < 4; q++)
        y[q] = _mm256_add_epi32(y[q], four_bias);
}

/* Rows that take four times their sums: (4*a*mult + 4*half) >> (shift + 2) is what it is without the fours. Other
 * roundings than the contract's take the sums themselves, and four times the bias. */
SFI_AVX2_INLINE sfi_lanes of_fours(sfi_lanes l)
{
    for (int i = 0; i < 2; i++) {
        l.bias[i] = _mm256_slli_epi32(l.bias[i], 2);
        if (l.rounding != SFI_CONTRACT)
            continue;
        l.half[i] = _mm256_slli_epi32(l.half[i], 2);
        l.shift[i] = _mm256_add_epi32(l.shift[i], _mm256_set1_epi32(2));
    }
    return l;
}

SFI_AVX2 void sfi_winograd_avx2(const int16_t* words, const int16_t* v, uint32_t channels, const sfi_rows* rows,
                                uint32_t count, const sfi_tiles* tiles, int8_t* y)
{
    int32_t m[16 * SUMS];
    const sfi_lanes lanes = of_fours(sfi_lanes_load(rows, 0, count));
    const int quarter = lanes.rounding != SFI_CONTRACT;
    const int direct = tiles->whole && count >= SFI_PANEL;
    sfi_winograd_points(sfi_block_dot_avx2, words, v, channels, m);
    for (size_t t = 0; t < SFI_WINOGRAD_TILES; t++) {
        __m256i sum[4][2];
        int8_t spare[4][SFI_PANEL], *out[4];
        for (size_t half = 0; half < 2; half++) {
            __m256i four[4];
            combine(m + t * SFI_PANEL + 8 * half, lanes.bias[half], four);
            for (size_t q = 0; q < 4; q++)
                sum[q][half] = quarter ? _mm256_srai_epi32(four[q], 2) : four[q];
        }
        for (size_t q = 0; q < 4; q++)
            out[q] = direct ? y + tiles->at[t] + tiles->on[q] : spare[q];
        sfi_lanes_store(&lanes, sum, out);
        for (size_t q = 0; q < 4; q++)
            if (!direct && (tiles->inside[t] >> q & 1u))
                sfi_copy(y + tiles->at[t] + tiles->on[q], spare[q], lanes.count);
    }
}

#endif
