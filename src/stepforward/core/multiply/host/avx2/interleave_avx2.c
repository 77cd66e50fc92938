/* sfi_interleave with AVX2: eight elements of both rows as one vector of 32-bit lanes. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/plain/plain.h"

#if SFI_X86
#include <immintrin.h>

SFI_AVX2 void sfi_interleave_avx2(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out)
{
    const __m256i less = _mm256_set1_epi32(zero);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256i even =
            _mm256_sub_epi32(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i_u*)(const void*)(a + i))), less);
        const __m256i odd =
            _mm256_sub_epi32(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i_u*)(const void*)(b + i))), less);
        _mm256_storeu_si256((__m256i_u*)(void*)(out + 2 * i),
                            _mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0xaa));
    }
    sfi_interleave(a + i, b + i, count - i, zero, out + 2 * i);
}

#endif
