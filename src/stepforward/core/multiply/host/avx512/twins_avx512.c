/* sfi_twins with AVX-512, 32 weights at a time, in 16 bits.
 *
 * With k = max(0, 17 - shift) and n = shift + k >= 17, delta = (z*mult + 2^(shift-1)) >> shift is (z*2^k*mult +
 * 2^(n-1)) >> n, which is (high + 2^(n-17)) >> (n-16) with high = (z*2^k*mult) >> 16, because 2^(n-1) is a multiple of
 * 2^16 and a floor of a floor is a floor. From shift 9 up k is at most 8 and all of it fits 16 bits: |z*2^k| <=
 * 127*2^8, and mult < 2^16, so |high| <= 127*2^8; up to shift 16 n is 17 and 2^(n-17) is 1; from 17 up |high| <= 127
 * and 2^(n-17) <= 2^7, since every shift from 24 up gives 0 like 24 does. Sums saturate to 16 bits, which the limits
 * -q_max and q_max make no difference to. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/plain/plain.h"
#include "stepforward.h"

#if SFI_X86
#include <immintrin.h>

SFI_AVX512 void sfi_twins_avx512(const int16_t* w, const int8_t* z, uint32_t count, const sf_scaler* scaler,
                                 int32_t q_max, int16_t* up, int16_t* down)
{
    const uint32_t shift = sfi_min_u32(scaler->perturb_shift, 24), k = shift < 17 ? 17 - shift : 0, n = shift + k;
    uint32_t i = 0;
    if (shift >= 9 && count >= 32) {
        const __m512i mult = _mm512_set1_epi16((int16_t)(uint16_t)scaler->perturb_mult),
                      half = _mm512_set1_epi16((int16_t)(1 << (n - 17)));
        const __mmask32 negative = _mm512_movepi16_mask(mult); /* the signed product lacks z*2^k*2^16 */
        const __m512i hi = _mm512_set1_epi16((int16_t)q_max), lo = _mm512_set1_epi16((int16_t)-q_max);
        const __m128i left = _mm_cvtsi32_si128((int32_t)k), right = _mm_cvtsi32_si128((int32_t)n - 16);
        for (; i + 32 <= count; i += 32) {
            const __m256i bytes = _mm256_loadu_si256((const __m256i_u*)(const void*)(z + i));
            const __m512i scaled = _mm512_sll_epi16(_mm512_cvtepi8_epi16(bytes), left),
                          signed_high = _mm512_mulhi_epi16(scaled, mult);
            const __m512i high = _mm512_mask_add_epi16(signed_high, negative, signed_high, scaled);
            const __m512i delta = _mm512_sra_epi16(_mm512_add_epi16(high, half), right), at = _mm512_loadu_si512(w + i);
            const __m512i above = _mm512_adds_epi16(at, delta), below = _mm512_subs_epi16(at, delta);
            _mm512_storeu_si512(up + i, _mm512_max_epi16(_mm512_min_epi16(above, hi), lo));
            _mm512_storeu_si512(down + i, _mm512_max_epi16(_mm512_min_epi16(below, hi), lo));
        }
    }
    if (i < count)
        sfi_twins(w + i, z + i, count - i, scaler, q_max, up + i, down + i);
}

#endif
