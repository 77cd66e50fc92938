/* Softmax with AVX-512: powers from a table in registers, 64 at a time, and quotients sixteen at a time. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/avx512/bytes_vbmi.h"
#include "multiply/host/avx512/merged_avx512.h"
#include "multiply/host/plain/plain.h"
#include "multiply/softmax.h"
#include "stepforward.h"

#if SFI_X86

/* Powers are below 2^31, so two of them fit into a lane. */
SFI_VBMI_INLINE __m512i two_sums(__m512i a, __m512i b)
{
    const __m512i sum = _mm512_add_epi32(a, b);
    return _mm512_add_epi64(_mm512_and_si512(sum, _mm512_set1_epi64(0xffffffff)), sfi_odd(sum));
}

/* The powers of `some` <= 64 elements, zeros after them, and what they add up to in 64-bit lanes. What unpacking bytes
 * and words takes apart, four bytes at a time, is put into order before they are looked up. */
SFI_VBMI_INLINE __m512i powers_of(const sfi_bytes table[4], const int8_t* x, uint32_t some, __m512i top,
                                  uint32_t* power)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __mmask64 used = some >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << some) - 1;
    const __m512i index = _mm512_permutexvar_epi32(order, _mm512_sub_epi8(top, _mm512_maskz_loadu_epi8(used, x)));
    const __mmask64 there = _mm512_movepi8_mask(_mm512_permutexvar_epi32(order, _mm512_maskz_set1_epi8(used, -1)));
    __m512i byte[4];
    for (uint32_t k = 0; k < 4; k++)
        byte[k] = _mm512_maskz_mov_epi8(there, sfi_bytes_at(table + k, index));
    const __m512i low = _mm512_unpacklo_epi8(byte[0], byte[1]), low_next = _mm512_unpackhi_epi8(byte[0], byte[1]);
    const __m512i high = _mm512_unpacklo_epi8(byte[2], byte[3]), high_next = _mm512_unpackhi_epi8(byte[2], byte[3]);
    const __m512i p[4] = {_mm512_unpacklo_epi16(low, high), _mm512_unpackhi_epi16(low, high),
                          _mm512_unpacklo_epi16(low_next, high_next), _mm512_unpackhi_epi16(low_next, high_next)};
    for (uint32_t k = 0; k < 4; k++)
        _mm512_storeu_si512(power + 16 * k, p[k]);
    return _mm512_add_epi64(two_sums(p[0], p[1]), two_sums(p[2], p[3]));
}

SFI_VBMI uint64_t sfi_powers_vbmi(const sfi_power_table* table, const int8_t* x, uint32_t count, int32_t top,
                                  uint32_t* power)
{
    const __m512i tops = _mm512_set1_epi8((char)top);
    sfi_bytes planes[4];
    __m512i sum = _mm512_setzero_si512();
    uint64_t sums[8], all = 0;
    for (uint32_t k = 0; k < 4; k++)
        planes[k] = sfi_bytes_load(table->byte[k]);
    for (uint32_t j = 0; j < count; j += 64)
        sum = _mm512_add_epi64(sum, powers_of(planes, x + j, sfi_min_u32(64, count - j), tops, power + j));
    _mm512_storeu_si512(sums, sum);
    for (uint32_t i = 0; i < 8; i++)
        all += sums[i];
    return all;
}

SFI_AVX512 void sfi_quotients_avx512(const sfi_divisor* d, uint32_t* power, uint32_t count, void* y)
{
    const __m512i inverse = _mm512_set1_epi32((int32_t)d->inverse), half = _mm512_set1_epi64((int64_t)d->half);
    const __m512i zero = _mm512_set1_epi32(d->zero_point), lo = _mm512_set1_epi32(d->lo), hi = _mm512_set1_epi32(d->hi);
    const __m128i shift = _mm_cvtsi32_si128((int32_t)d->shift);
    uint32_t j = 0;
    for (; j + 16 <= count; j += 16) {
        const __m512i q = _mm512_add_epi32(sfi_shifted(_mm512_loadu_si512(power + j), inverse, half, shift), zero);
        const __m512i v = _mm512_min_epi32(_mm512_max_epi32(q, lo), hi);
        sfi_store_sixteen(v, d->dtype, y, (size_t)j);
    }
    sfi_quotients(d, power + j, count - j, (int8_t*)y + j * (d->dtype == SF_S16 ? sizeof(int16_t) : 1));
}

#endif
