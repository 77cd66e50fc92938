/* Rows of a layer norm with AVX-512, sixteen channels at a time. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/avx512/merged_avx512.h"
#include "multiply/host/plain/plain.h"
#include "multiply/norm.h"

#if SFI_X86

/* The pairs of eight channels, factors in the lower words and shifts in the upper ones; even channels and odd ones. */
typedef struct pairs_of {
    __m512i even, odd;
} pairs_of;

SFI_AVX512_INLINE pairs_of pairs_at(const sfi_norm* n, int32_t j)
{
    const __m512i first = _mm512_loadu_si512(n->pairs + 2 * j), last = _mm512_loadu_si512(n->pairs + 2 * j + 16);
    const pairs_of p = {_mm512_permutex2var_epi64(first, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), last),
                        _mm512_permutex2var_epi64(first, _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15), last)};
    return p;
}

/* v*factor >> (shift-1), to whose lower word one more bit is missing. */
SFI_AVX512_INLINE __m512i nearly(__m512i v, __m512i pair)
{
    return _mm512_srav_epi64(_mm512_mul_epi32(v, pair), _mm512_sub_epi64(sfi_odd(pair), _mm512_set1_epi64(1)));
}

SFI_AVX512_INLINE __m512i rescaled(__m512i v, const pairs_of* p)
{
    const __m512i twice = sfi_merged(nearly(v, p->even), nearly(sfi_odd(v), p->odd));
    return _mm512_srai_epi32(_mm512_add_epi32(twice, _mm512_set1_epi32(1)), 1);
}

SFI_AVX512_INLINE __m512i clamped(__m512i v, int32_t lo, int32_t hi)
{
    return _mm512_min_epi32(_mm512_max_epi32(v, _mm512_set1_epi32(lo)), _mm512_set1_epi32(hi));
}

SFI_AVX512 void sfi_norm_row_avx512(const sfi_norm* n, int32_t first, int32_t* x, void* y)
{
    const uint64_t top = (uint64_t)1 << 63;
    const uint64_t half = ((uint64_t)1 << (n->shift - 1)) + top - ((uint64_t)n->inverse << 31);
    const __m512i count = _mm512_set1_epi32(n->count), inverse = _mm512_set1_epi32((int32_t)n->inverse);
    /* v + 2^31 is positive, 2^63 keeps the sum so, and both are taken back, as in plain C */
    const __m512i start = _mm512_set1_epi32((int32_t)(0x80000000u - (uint32_t)n->total));
    const __m512i offset = _mm512_set1_epi64((int64_t)half), back = _mm512_set1_epi32((int32_t)(top >> n->shift));
    const __m128i shift = _mm_cvtsi32_si128((int32_t)n->shift);
    const __m512i one = _mm512_set1_epi64((int64_t)((uint64_t)(uint32_t)n->pairs[1] << 32 | (uint32_t)n->pairs[0]));
    pairs_of pairs = {one, one};
    int32_t j = first;
    for (; j + 16 <= n->count; j += 16) {
        const __m512i v = _mm512_add_epi32(_mm512_mullo_epi32(_mm512_loadu_si512(x + j), count), start);
        const __m512i z = clamped(_mm512_sub_epi32(sfi_shifted(v, inverse, offset, shift), back), -32768, 32767);
        const __m512i gamma = _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i_u*)(const void*)(n->gamma + j)));
        const __m512i acc = _mm512_add_epi32(_mm512_mullo_epi32(z, gamma), _mm512_loadu_si512(n->beta + j));
        if (n->step != 0)
            pairs = pairs_at(n, j);
        const __m512i out =
            clamped(_mm512_add_epi32(rescaled(acc, &pairs), _mm512_set1_epi32(n->zero_point)), n->lo, n->hi);
        sfi_store_sixteen(out, n->dtype, y, (size_t)j);
    }
    sfi_norm_row(n, j, x, y);
}

#endif
