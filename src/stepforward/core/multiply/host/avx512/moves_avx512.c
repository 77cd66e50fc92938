/* Weights of 16 bits on their way through the update with AVX-512: moves from a table in eight registers, 32 weights at
 * a time. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"

#if SFI_X86
#include <immintrin.h>

/* table[index] for indices of 0 .. 255; an instruction looks up in 64 entries. */
SFI_AVX512_INLINE __m512i look_up(const __m512i table[8], __m512i index)
{
    const __mmask32 odd = _mm512_test_epi16_mask(index, _mm512_set1_epi16(64)),
                    upper = _mm512_test_epi16_mask(index, _mm512_set1_epi16(128));
    const __m512i first = _mm512_permutex2var_epi16(table[0], index, table[1]),
                  second = _mm512_permutex2var_epi16(table[2], index, table[3]);
    const __m512i third = _mm512_permutex2var_epi16(table[4], index, table[5]),
                  last = _mm512_permutex2var_epi16(table[6], index, table[7]);
    return _mm512_mask_blend_epi16(upper, _mm512_mask_blend_epi16(odd, first, second),
                                   _mm512_mask_blend_epi16(odd, third, last));
}

SFI_AVX512 void sfi_moves_avx512(int16_t* w, const int8_t* z, uint32_t count, const int16_t move[256])
{
    __m512i table[8];
    uint32_t i = 0;
    for (uint32_t j = 0; j < 8; j++)
        table[j] = _mm512_loadu_si512(move + 32 * j);
    for (; i + 32 <= count; i += 32) {
        const __m512i index = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i_u*)(const void*)(z + i)));
        const __m512i moved = _mm512_subs_epi16(_mm512_loadu_si512(w + i), look_up(table, index));
        _mm512_storeu_si512(w + i, _mm512_max_epi16(moved, _mm512_set1_epi16(-32767)));
    }
    for (; i < count; i++)
        w[i] = (int16_t)sfi_clamp(w[i] - move[(uint8_t)z[i]], -32767, 32767);
}

#endif
