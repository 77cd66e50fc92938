/* sfi_sum_s8 with the multiply-add of AVX2: a pair (a, b) meets both multipliers at once. They may exceed a signed
 * word, so each goes in as two halves; those of 65535 do not fit. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/avx2/lanes_avx2.h"
#include "multiply/host/plain/plain.h"
#include "multiply/sum.h"

#if SFI_X86

/* Two multipliers as one pair of words for every lane. */
SFI_AVX2_INLINE __m256i pair(int32_t a, int32_t b)
{
    return _mm256_set1_epi32((int32_t)((uint32_t)b << 16 | (uint32_t)a));
}

SFI_AVX2 void sfi_sum_avx2(const sfi_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y)
{
    const __m256i first = pair(s->mult_a / 2, s->mult_b / 2), second = pair((s->mult_a + 1) / 2, (s->mult_b + 1) / 2);
    const __m256i rest = _mm256_set1_epi32(s->rest), lo = _mm256_set1_epi8((char)s->lo),
                  hi = _mm256_set1_epi8((char)s->hi);
    const __m128i shift = _mm_cvtsi32_si128(s->shift);
    const size_t most = s->mult_a < 65535 && s->mult_b < 65535 ? count : 0;
    size_t i = 0;
    for (; i + 32 <= most; i += 32) {
        const __m256i va = sfi_load(a + i), vb = sfi_load(b + i);
        const __m256i low = _mm256_unpacklo_epi8(va, vb), high = _mm256_unpackhi_epi8(va, vb);
        __m256i part[4]; /* of sixteen, eight from either half: packing brings them together again */
        for (int k = 0; k < 4; k++) {
            const __m256i bytes = k < 2 ? low : high;
            const __m256i words =
                _mm256_srai_epi16(k % 2 ? _mm256_unpackhi_epi8(bytes, bytes) : _mm256_unpacklo_epi8(bytes, bytes), 8);
            const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(words, first), _mm256_madd_epi16(words, second));
            part[k] = _mm256_sra_epi32(_mm256_add_epi32(sum, rest), shift);
        }
        const __m256i v =
            _mm256_packs_epi16(_mm256_packs_epi32(part[0], part[1]), _mm256_packs_epi32(part[2], part[3]));
        _mm256_storeu_si256((__m256i_u*)(void*)(y + i), _mm256_min_epi8(_mm256_max_epi8(v, lo), hi));
    }
    sfi_sum_s8(s, a + i, b + i, count - i, y + i);
}

#endif
