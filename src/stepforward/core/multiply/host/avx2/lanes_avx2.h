/* From accumulators to bytes in registers, sixteen rows at a time: what the kernels for AVX2 end with. */
#ifndef SFI_LANES_AVX2_H
#define SFI_LANES_AVX2_H

#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/rounding.h"
#include "base/targets.h"
#include "multiply/rows.h"

#if SFI_X86
#include <immintrin.h>

/* As in avx512/lanes_avx512.h. */
#if !defined(SFI_KEEP)
#define SFI_KEEP(v) __asm__("" : "+x"(v))
#endif

/* Sixteen fused rows (sfi_rows_prepare): eight and eight. */
typedef struct sfi_lanes {
    __m256i bias[2], mult[2], half[2], shift[2];
    __m256i lo, hi;
    uint32_t count;
    int32_t rounding; /* where it is float32's, mult[] holds the scales */
    __m256i zero;     /* of other roundings than the contract's, which has it in half[] */
    __m256i sign[2];  /* as in avx512/lanes_avx512.h */
} sfi_lanes;

SFI_AVX2_INLINE __m256i sfi_load(const void* at) { return _mm256_loadu_si256((const __m256i_u*)at); }

/* The arrays after `rows` reach to the end of the panel. */
SFI_AVX2_INLINE sfi_lanes sfi_lanes_load(const sfi_rows* rows, uint32_t first, uint32_t count)
{
    const __m256i zero_point = _mm256_set1_epi32(rows->zero_point);
    sfi_lanes l;
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t r = first + 8 * i;
        l.bias[i] = sfi_load(rows->bias + r);
        l.mult[i] = sfi_load(rows->mult + r);
        l.shift[i] = _mm256_sub_epi32(sfi_load(rows->shift + r), _mm256_set1_epi32(16));
        l.half[i] = _mm256_add_epi32(sfi_load(rows->half + r), _mm256_sllv_epi32(zero_point, l.shift[i]));
    }
    l.rounding = rows->rounding;
    l.zero = zero_point;
    for (uint32_t i = 0; i < 2 && l.rounding != SFI_CONTRACT; i++) {
        const __m256i one = _mm256_set1_epi32(1);
        l.shift[i] = _mm256_sub_epi32(sfi_load(rows->shift + first + 8 * i), _mm256_set1_epi32(31));
        l.half[i] = _mm256_srli_epi32(_mm256_sllv_epi32(one, l.shift[i]), 1);
        if (l.rounding == SFI_FLOAT)
            l.mult[i] = sfi_load(rows->half + first + 8 * i);
    }
    for (uint32_t i = 0; i < 2; i++)
        l.sign[i] = _mm256_sub_epi32(_mm256_set1_epi32(32), _mm256_min_epu32(l.shift[i], _mm256_set1_epi32(1)));
    l.lo = _mm256_set1_epi8((char)rows->lo);
    l.hi = _mm256_set1_epi8((char)rows->hi);
    l.count = sfi_min_u32(count, SFI_PANEL);
    return l;
}

/* sfi_rounded_twice() of base/rounding.h: the proof of rows.c leaves room for the rounding term. */
SFI_AVX2_INLINE __m256i sfi_lanes_twice(const sfi_lanes* l, const int i, __m256i a)
{
    const __m256i half = _mm256_set1_epi64x(1 << 30), odd_mult = _mm256_srli_epi64(l->mult[i], 32);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(a, l->mult[i]), half),
                  odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), odd_mult), half);
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xaa);
    const __m256i down = _mm256_sub_epi32(high, _mm256_srlv_epi32(high, l->sign[i]));
    return _mm256_srav_epi32(_mm256_add_epi32(down, l->half[i]), l->shift[i]);
}

/* Rows that are fused leave room for the zero point. */
SFI_AVX2_INLINE __m256i sfi_lanes_float(const sfi_lanes* l, const int i, __m256i a)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(a), _mm256_castsi256_ps(l->mult[i])));
}

/* The formula of sfi_rows_prepare(): mult < 2^16 lies in the low half of its lane, so the unsigned 16-bit
 * multiplication gives (l*mult) >> 16 there and 0 in the high half. */
SFI_AVX2_INLINE __m256i sfi_lanes_rescaled(const sfi_lanes* l, const int i, __m256i a)
{
    if (l->rounding != SFI_CONTRACT)
        return _mm256_add_epi32(l->rounding == SFI_TWICE ? sfi_lanes_twice(l, i, a) : sfi_lanes_float(l, i, a),
                                l->zero);
    const __m256i high = _mm256_mullo_epi32(_mm256_srai_epi32(a, 16), l->mult[i]),
                  low = _mm256_mulhi_epu16(a, l->mult[i]);
    return _mm256_srav_epi32(_mm256_add_epi32(_mm256_add_epi32(high, low), l->half[i]), l->shift[i]);
}

/* Two patches: packing works within halves, so four rows of the first, four of the second lie in turn: 0 and 8, then 4
 * and 12. Saturation to s8 before the clamp changes nothing, for lo and hi are bytes. */
SFI_AVX2_INLINE __m256i sfi_lanes_bytes(const sfi_lanes* l, const __m256i a[2], const __m256i b[2])
{
    const __m256i first = _mm256_packs_epi32(sfi_lanes_rescaled(l, 0, a[0]), sfi_lanes_rescaled(l, 1, a[1]));
    const __m256i second = _mm256_packs_epi32(sfi_lanes_rescaled(l, 0, b[0]), sfi_lanes_rescaled(l, 1, b[1]));
    return _mm256_min_epi8(_mm256_max_epi8(_mm256_packs_epi16(first, second), l->lo), l->hi);
}

/* Four patches: sixteen bytes to each of `out`. */
SFI_AVX2_INLINE void sfi_lanes_store(const sfi_lanes* l, __m256i sum[4][2], int8_t* const out[4])
{
    _Pragma("GCC unroll 2") for (int p = 0; p < 4; p += 2)
    {
        const __m256i v = sfi_lanes_bytes(l, sum[p], sum[p + 1]);
        const __m128i low = _mm256_castsi256_si128(v), high = _mm256_extracti128_si256(v, 1);
        _mm_storeu_si128((__m128i_u*)(void*)out[p], _mm_unpacklo_epi32(low, high));
        _mm_storeu_si128((__m128i_u*)(void*)out[p + 1], _mm_unpackhi_epi32(low, high));
    }
}

#endif
#endif
