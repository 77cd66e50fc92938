/* sfi_rows_narrow with AVX-512: sixteen rows at a time, their scales in registers for all positions. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/rounding.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/plain/plain.h"
#include "multiply/rows.h"
#include "stepforward.h"

#if SFI_X86
#include <immintrin.h>

typedef struct lanes {
    __m512i bias, mult, half, shift, zero_point, lo, hi;
} lanes;

/* The formula of sfi_rows_prepare(): mult < 2^16 lies in the low half of its lane, so the unsigned 16-bit
 * multiplication gives (l*mult) >> 16 there and 0 in the high half. */
SFI_AVX512_INLINE __m512i rescaled(const lanes* l, __m512i acc)
{
    const __m512i a = _mm512_add_epi32(acc, l->bias), low = _mm512_mulhi_epu16(a, l->mult);
    const __m512i high = _mm512_mullo_epi32(_mm512_srai_epi32(a, 16), l->mult);
    const __m512i v = _mm512_srav_epi32(_mm512_add_epi32(_mm512_add_epi32(high, low), l->half), l->shift);
    return _mm512_min_epi32(_mm512_max_epi32(_mm512_add_epi32(v, l->zero_point), l->lo), l->hi);
}

/* Fewer than sixteen outputs: stores under a mask are many times slower on some machines. */
static void store_few(const int8_t* from, uint32_t bytes, int8_t* to)
{
    for (uint32_t size = 32, at = 0; size > 0; size /= 2)
        if (bytes & size) {
            sfi_copy(to + at, from + at, size);
            at += size;
        }
}

SFI_AVX512_INLINE void store(__m512i v, int32_t dtype, uint32_t count, void* y, size_t at)
{
    if (dtype == SF_S8 && count >= 16) {
        _mm_storeu_si128((__m128i_u*)(void*)((int8_t*)y + at), _mm512_cvtepi32_epi8(v));
    } else if (dtype == SF_S8) {
        int8_t all[32];
        _mm_storeu_si128((__m128i_u*)(void*)all, _mm512_cvtepi32_epi8(v));
        store_few(all, count, (int8_t*)y + at);
    } else {
        int8_t all[32];
        _mm256_storeu_si256((__m256i_u*)(void*)all, _mm512_cvtepi32_epi16(v));
        store_few(all, 2 * sfi_min_u32(count, 16), (int8_t*)((int16_t*)y + at));
    }
}

SFI_AVX512 void sfi_rows_avx512(const sfi_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count,
                                uint32_t positions, void* y, const size_t* at)
{
    lanes l;
    if (rows->rounding != SFI_CONTRACT) {
        sfi_rows_rounded(rows, acc, capacity, count, positions, y, at);
        return;
    }
    l.zero_point = _mm512_set1_epi32(rows->zero_point);
    l.lo = _mm512_set1_epi32(rows->lo);
    l.hi = _mm512_set1_epi32(rows->hi);
    for (uint32_t r = 0; r < count; r += 16) {
        const __mmask16 mask = (__mmask16)(count - r >= 16 ? 0xffffu : (1u << (count - r)) - 1u);
        l.bias = _mm512_maskz_loadu_epi32(mask, rows->bias + r);
        l.mult = _mm512_maskz_loadu_epi32(mask, rows->mult + r);
        l.half = _mm512_maskz_loadu_epi32(mask, rows->half + r);
        l.shift = _mm512_sub_epi32(_mm512_maskz_loadu_epi32(mask, rows->shift + r), _mm512_set1_epi32(16));
        for (uint32_t p = 0; p < positions; p++)
            store(rescaled(&l, _mm512_loadu_si512(acc + (size_t)p * capacity + r)), rows->dtype, count - r, y,
                  at[p] + r);
    }
}

#endif
