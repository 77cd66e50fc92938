/* From accumulators to bytes in registers, sixteen rows at a time: what the kernels for AVX-512 end with. */
#ifndef SFI_LANES_AVX512_H
#define SFI_LANES_AVX512_H

#include "base/integers.h"
#include "base/machine.h"
#include "base/rounding.h"
#include "base/targets.h"
#include "multiply/rows.h"

#if SFI_X86
#include <immintrin.h>

/* The value stays in one register up to here: without this, GCC 12 copies every accumulator to the stack in every turn
 * of the loop that sums it, so as to have it at hand after the loop. */
#if !defined(SFI_KEEP)
#define SFI_KEEP(v) __asm__("" : "+v"(v))
#endif

/* Sixteen fused rows (sfi_rows_prepare). */
typedef struct sfi_lanes {
    __m512i bias, low, high, half, shift;
    __mmask32 product;
    __m128i lo, hi;
    uint32_t count;
    uint32_t clamps;  /* whether lo and hi ask for more than to saturate, which a ReLU's seldom do */
    int32_t rounding; /* where it is float32's, `low` holds the scales */
    __m512i zero;     /* of other roundings than the contract's, which has it in `half` */
    __m512i sign; /* of rounding twice: the shift that leaves a sign, or nothing where there is no second rounding */
} sfi_lanes;

SFI_VNNI_INLINE sfi_lanes sfi_lanes_load(const sfi_rows* rows, uint32_t first, uint32_t count)
{
    const __mmask16 used = (__mmask16)(count >= 16 ? 0xffffu : (1u << count) - 1u);
    sfi_lanes l;
    l.bias = _mm512_maskz_loadu_epi32(used, rows->bias + first);
    l.low = _mm512_maskz_loadu_epi32(used, rows->mult + first);
    l.high = _mm512_slli_epi32(l.low, 16);
    l.product = ~_mm512_movepi16_mask(l.high);
    l.shift = _mm512_sub_epi32(_mm512_maskz_loadu_epi32(used, rows->shift + first), _mm512_set1_epi32(16));
    l.half = _mm512_add_epi32(_mm512_maskz_loadu_epi32(used, rows->half + first),
                              _mm512_sllv_epi32(_mm512_set1_epi32(rows->zero_point), l.shift));
    l.rounding = rows->rounding;
    l.zero = _mm512_set1_epi32(rows->zero_point);
    if (l.rounding != SFI_CONTRACT) {
        const __m512i one = _mm512_set1_epi32(1);
        l.shift = _mm512_sub_epi32(_mm512_maskz_loadu_epi32(used, rows->shift + first), _mm512_set1_epi32(31));
        l.half = _mm512_srli_epi32(_mm512_sllv_epi32(one, l.shift), 1);
        if (l.rounding == SFI_FLOAT)
            l.low = _mm512_maskz_loadu_epi32(used, rows->half + first);
    }
    l.sign = _mm512_sub_epi32(_mm512_set1_epi32(32), _mm512_min_epu32(l.shift, _mm512_set1_epi32(1)));
    l.clamps = rows->lo > -128 || rows->hi < 127;
    l.lo = _mm_set1_epi8((char)rows->lo);
    l.hi = _mm_set1_epi8((char)rows->hi);
    l.count = sfi_min_u32(count, 16);
    return l;
}

/* sfi_rounded_twice() of base/rounding.h: the proof of rows.c leaves room for the rounding term. */
SFI_VNNI_INLINE __m512i sfi_lanes_twice(const sfi_lanes* l, __m512i a)
{
    const __m512i half = _mm512_set1_epi64(1 << 30);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(a, l->low), half);
    const __m512i odd =
        _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(l->low, 32)), half);
    const __m512i high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
    const __m512i down = _mm512_sub_epi32(high, _mm512_srlv_epi32(high, l->sign));
    return _mm512_srav_epi32(_mm512_add_epi32(down, l->half), l->shift);
}

/* Rows that are fused leave room for the zero point. */
SFI_VNNI_INLINE __m512i sfi_lanes_float(const sfi_lanes* l, __m512i a)
{
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(a), _mm512_castsi512_ps(l->low)));
}

/* The formula of sfi_rows_prepare() for a = h*2^16 + l, modulo 2^32; its result fits. Three instructions make h*mult +
 * (l*mult >> 16) + half: VPDPWSSD multiplies h with mult as a signed word, which is mult - 2^16 from 2^15 on, and then
 * the h*2^16 that is missing is the upper word of `a` itself, which the masked VPMULHUW leaves where it is. Below 2^15
 * the mask lets it put a zero there (h times the zero of `low`). */
SFI_VNNI_INLINE __m512i sfi_lanes_rounded(const sfi_lanes* l, const int rounding, __m512i a)
{
    if (rounding != SFI_CONTRACT)
        return _mm512_add_epi32(rounding == SFI_TWICE ? sfi_lanes_twice(l, a) : sfi_lanes_float(l, a), l->zero);
    const __m512i high = _mm512_dpwssd_epi32(l->half, a, l->high),
                  low = _mm512_mask_mulhi_epu16(a, l->product, a, l->low);
    return _mm512_srav_epi32(_mm512_add_epi32(high, low), l->shift);
}

SFI_VNNI_INLINE __m512i sfi_lanes_rescaled(const sfi_lanes* l, __m512i a)
{
    return sfi_lanes_rounded(l, l->rounding, a);
}

SFI_VNNI_INLINE __m128i sfi_lanes_saturated(const sfi_lanes* l, __m512i a)
{
    return _mm512_cvtsepi32_epi8(sfi_lanes_rescaled(l, a));
}

/* Saturation to s8 before the clamp changes nothing, for lo and hi are bytes. */
SFI_VNNI_INLINE __m128i sfi_lanes_bytes(const sfi_lanes* l, __m512i a)
{
    return _mm_min_epi8(_mm_max_epi8(sfi_lanes_saturated(l, a), l->lo), l->hi);
}

#endif
#endif
