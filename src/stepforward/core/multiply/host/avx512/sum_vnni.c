/* sfi_sum_s8 with AVX-512 VNNI: VPDPWSSD multiplies a pair (a, b) with both multipliers at once. They may exceed a
 * signed word, so each goes in as two halves; those of 65535 do not fit. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/plain/plain.h"
#include "multiply/sum.h"

#if SFI_X86
#include <immintrin.h>

/* Two multipliers as one pair of words for every lane. */
SFI_VNNI static inline __m512i pair(int32_t a, int32_t b)
{
    return _mm512_set1_epi32((int32_t)((uint32_t)b << 16 | (uint32_t)a));
}

SFI_VNNI void sfi_sum_vnni(const sfi_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y)
{
    const __m512i first = pair(s->mult_a / 2, s->mult_b / 2), second = pair((s->mult_a + 1) / 2, (s->mult_b + 1) / 2);
    const __m512i rest = _mm512_set1_epi32(s->rest), shift = _mm512_set1_epi32(s->shift);
    const __m256i lo = _mm256_set1_epi8((char)s->lo), hi = _mm256_set1_epi8((char)s->hi);
    const size_t most = s->mult_a < 65535 && s->mult_b < 65535 ? count : 0;
    size_t i = 0;
    for (; i + 32 <= most; i += 32) {
        const __m256i va = _mm256_loadu_si256((const __m256i_u*)(const void*)(a + i));
        const __m256i vb = _mm256_loadu_si256((const __m256i_u*)(const void*)(b + i));
        __m128i part[2];
        for (int half = 0; half < 2; half++) { /* eights 0 and 2, then 1 and 3 */
            const __m512i x = _mm512_cvtepi8_epi16(half ? _mm256_unpackhi_epi8(va, vb) : _mm256_unpacklo_epi8(va, vb));
            const __m512i sum = _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(rest, x, first), x, second);
            part[half] = _mm512_cvtsepi32_epi8(_mm512_srav_epi32(sum, shift));
        }
        const __m256i v = _mm256_set_m128i(_mm_unpackhi_epi64(part[0], part[1]), _mm_unpacklo_epi64(part[0], part[1]));
        _mm256_storeu_si256((__m256i_u*)(void*)(y + i), _mm256_min_epi8(_mm256_max_epi8(v, lo), hi));
    }
    sfi_sum_s8(s, a + i, b + i, count - i, y + i);
}

#endif
