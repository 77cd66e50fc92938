/* sfi_interleave with AVX-512: the bytes are put in order before they are widened, sixteen of both rows at a time. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/avx512/avx512.h"

#if SFI_X86
#include <immintrin.h>

SFI_AVX512 void sfi_interleave_avx512(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out)
{
    const __m512i less = _mm512_set1_epi16((int16_t)zero);
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m128i even = _mm_loadu_si128((const __m128i_u*)(const void*)(a + i));
        const __m128i odd = _mm_loadu_si128((const __m128i_u*)(const void*)(b + i));
        const __m256i both = _mm256_set_m128i(_mm_unpackhi_epi8(even, odd), _mm_unpacklo_epi8(even, odd));
        _mm512_storeu_si512(out + 2 * i, _mm512_sub_epi16(_mm512_cvtepi8_epi16(both), less));
    }
    if (i < count)
        sfi_interleave_avx2(a + i, b + i, count - i, zero, out + 2 * i);
}

#endif
