/* Products of 64 bits for sixteen lanes of 32: even and odd lanes apart, and together again; and their outputs. */
#ifndef SFI_MERGED_AVX512_H
#define SFI_MERGED_AVX512_H

#include "base/machine.h"
#include "base/targets.h"
#include "stepforward.h"

#if SFI_X86
#include <immintrin.h>

SFI_AVX512_INLINE __m512i sfi_odd(__m512i v) { return _mm512_srli_epi64(v, 32); }

/* The lower words of 64-bit lanes. */
SFI_AVX512_INLINE __m512i sfi_merged(__m512i even, __m512i odd)
{
    return _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}

/* (v * factor + offset) >> shift, factor in the lower words. */
SFI_AVX512_INLINE __m512i sfi_shifted(__m512i v, __m512i factor, __m512i offset, __m128i shift)
{
    const __m512i even = _mm512_add_epi64(_mm512_mul_epu32(v, factor), offset),
                  odd = _mm512_add_epi64(_mm512_mul_epu32(sfi_odd(v), factor), offset);
    return sfi_merged(_mm512_srl_epi64(even, shift), _mm512_srl_epi64(odd, shift));
}

/* Sixteen outputs from element `at` on. */
SFI_AVX512_INLINE void sfi_store_sixteen(__m512i v, int32_t dtype, void* y, size_t at)
{
    if (dtype == SF_S16)
        _mm256_storeu_si256((__m256i_u*)(void*)((int16_t*)y + at), _mm512_cvtepi32_epi16(v));
    else
        _mm_storeu_si128((__m128i_u*)(void*)((int8_t*)y + at), _mm512_cvtepi32_epi8(v));
}

#endif
#endif
