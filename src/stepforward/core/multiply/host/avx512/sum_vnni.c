/* sfi_sum_s8 with AVX-512 VNNI. VPDPBUSD multiplies unsigned bytes with signed ones: the multipliers go in a byte at a
 * time, upper ones first, and a one next to every pair of inputs brings the lower byte of the rest along. Modulo 2^32,
 * within which the sum is. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/plain/plain.h"
#include "multiply/sum.h"

#if SFI_X86
#include <immintrin.h>

/* Bytes a, b and c in every lane. */
SFI_VNNI static inline __m512i bytes(int32_t a, int32_t b, int32_t c)
{
    return _mm512_set1_epi32((int32_t)(((uint32_t)c & 255) << 16 | ((uint32_t)b & 255) << 8 | ((uint32_t)a & 255)));
}

SFI_VNNI void sfi_sum_vnni(const sfi_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y)
{
    const __m512i upper = bytes(s->mult_a >> 8, s->mult_b >> 8, 0), lower = bytes(s->mult_a, s->mult_b, s->rest);
    const __m512i rest = _mm512_set1_epi32(s->rest >> 8), shift = _mm512_set1_epi32(s->shift);
    const __m512i one = _mm512_set1_epi16(1);
    const __m512i lo = _mm512_set1_epi8((char)s->lo), hi = _mm512_set1_epi8((char)s->hi);
    size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const __m512i va = _mm512_loadu_si512(a + i), vb = _mm512_loadu_si512(b + i);
        const __m512i first = _mm512_unpacklo_epi8(va, vb), second = _mm512_unpackhi_epi8(va, vb);
        __m512i v[4] = {_mm512_unpacklo_epi16(first, one), _mm512_unpackhi_epi16(first, one),
                        _mm512_unpacklo_epi16(second, one), _mm512_unpackhi_epi16(second, one)};
        for (int k = 0; k < 4; k++) { /* packing undoes what unpacking did to the order */
            const __m512i sum = _mm512_slli_epi32(_mm512_dpbusd_epi32(rest, upper, v[k]), 8);
            v[k] = _mm512_srav_epi32(_mm512_dpbusd_epi32(sum, lower, v[k]), shift);
        }
        const __m512i out = _mm512_packs_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
        _mm512_storeu_si512(y + i, _mm512_min_epi8(_mm512_max_epi8(out, lo), hi));
    }
    sfi_sum_s8(s, a + i, b + i, count - i, y + i);
}

#endif
