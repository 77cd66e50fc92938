/* Directions with AVX-512: eight Philox blocks side by side, and both alias tables in registers. */
#include "directions.h"

#if SF_X86
#include <immintrin.h>

#define VBMI __attribute__((target("avx512f,avx512bw,avx512vbmi")))
#define VBMI_INLINE static inline __attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline))

/* The half-words of eight blocks from counter[0] on, of 0, 2, 4, 6 and of 1, 3, 5, 7. A word is the lower half of 64 bits: that
 * is what a multiplication reads and where it leaves the low word, so the upper halves may hold anything. */
VBMI_INLINE void draw(const uint32_t counter[4], const uint32_t keys[20], __m512i* even, __m512i* odd)
{
    const __m512i m0 = _mm512_set1_epi64(0xD2511F53), m1 = _mm512_set1_epi64(0xCD9E8D57);
    __m512i a = _mm512_add_epi32(_mm512_set1_epi32((int32_t)counter[0]), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    __m512i b = _mm512_set1_epi32((int32_t)counter[1]), c = _mm512_set1_epi32((int32_t)counter[2]);
    __m512i d = _mm512_set1_epi32((int32_t)counter[3]);
    SF_ROLLED for (const uint32_t* key = keys; key < keys + 20; key += 2) {
        const __m512i p = _mm512_mul_epu32(a, m0), q = _mm512_mul_epu32(c, m1);
        /* 0x96: exclusive or of the three */
        a = _mm512_ternarylogic_epi32(_mm512_srli_epi64(q, 32), b, _mm512_set1_epi32((int32_t)key[0]), 0x96);
        c = _mm512_ternarylogic_epi32(_mm512_srli_epi64(p, 32), d, _mm512_set1_epi32((int32_t)key[1]), 0x96);
        b = q;
        d = p;
    }
    const __m512i front = _mm512_mask_blend_epi32(0xaaaa, a, _mm512_slli_epi64(b, 32));
    const __m512i back = _mm512_mask_blend_epi32(0xaaaa, c, _mm512_slli_epi64(d, 32));
    *even = _mm512_unpacklo_epi64(front, back);
    *odd = _mm512_unpackhi_epi64(front, back);
}

/* table[index] of sixty-four bytes; table: 256 bytes in four registers. */
VBMI_INLINE __m512i look_up(const __m512i table[4], __m512i index, __mmask64 upper)
{
    return _mm512_mask_blend_epi8(upper, _mm512_permutex2var_epi8(table[0], index, table[1]),
                                  _mm512_permutex2var_epi8(table[2], index, table[3]));
}

/* The table's low bytes (KEEP) and high bytes (ALIAS + 128), 256 each. */
VBMI_INLINE void load_tables(__m512i keep[4], __m512i other[4])
{
    const __m512i bytes = _mm512_setr_epi64(0x0e0c0a0806040200, 0x1e1c1a1816141210, 0x2e2c2a2826242220, 0x3e3c3a3836343230,
                                            0x4e4c4a4846444240, 0x5e5c5a5856545250, 0x6e6c6a6866646260, 0x7e7c7a7876747270);
    const __m512i high = _mm512_add_epi8(bytes, _mm512_set1_epi8(1));
    for (int i = 0; i < 4; i++) {
        const __m512i a = _mm512_loadu_si512(sf_table_alias + 64 * i), b = _mm512_loadu_si512(sf_table_alias + 64 * i + 32);
        keep[i] = _mm512_permutex2var_epi8(a, bytes, b);
        other[i] = _mm512_permutex2var_epi8(a, high, b);
    }
}

VBMI static void normal(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, int8_t* z)
{
    const __m512i bytes = _mm512_set1_epi16(255);
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    __m512i keep[4], other[4], even, odd;
    load_tables(keep, other);
    for (; groups > 0; groups--, z += 64, at[0] += 8) {
        draw(at, keys, &even, &odd);
        const __m512i slot = _mm512_packus_epi16(_mm512_and_si512(even, bytes), _mm512_and_si512(odd, bytes));
        const __m512i r = _mm512_packus_epi16(_mm512_srli_epi16(even, 8), _mm512_srli_epi16(odd, 8));
        const __mmask64 upper = _mm512_movepi8_mask(slot), kept = _mm512_cmplt_epu8_mask(r, look_up(keep, slot, upper));
        const __m512i value = _mm512_mask_blend_epi8(kept, look_up(other, slot, upper), slot);
        _mm512_storeu_si512(z, _mm512_xor_si512(value, _mm512_set1_epi8(-128))); /* minus 128 */
    }
}

/* Popcounts of the half-words' bytes by a table of sixteen; then 18*popcount - 144. */
VBMI_INLINE __m512i coins(__m512i u)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i counts = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i low = _mm512_shuffle_epi8(counts, _mm512_and_si512(u, nibble));
    const __m512i high = _mm512_shuffle_epi8(counts, _mm512_and_si512(_mm512_srli_epi16(u, 4), nibble));
    const __m512i scaled = _mm512_maddubs_epi16(_mm512_add_epi8(low, high), _mm512_set1_epi8(18));
    return _mm512_sub_epi16(scaled, _mm512_set1_epi16(144));
}

VBMI static void binomial(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, int8_t* z)
{
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    __m512i even, odd;
    for (; groups > 0; groups--, z += 64, at[0] += 8) {
        draw(at, keys, &even, &odd);
        const __m512i value = _mm512_packs_epi16(coins(even), coins(odd));
        _mm512_storeu_si512(z, _mm512_max_epi8(value, _mm512_set1_epi8(-127)));
    }
}

VBMI static void halves(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, uint16_t* u)
{
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    __m512i even, odd;
    for (; groups > 0; groups--, u += 64, at[0] += 8) {
        draw(at, keys, &even, &odd);
        _mm512_storeu_si512(u, _mm512_permutex2var_epi64(even, first, odd));
        _mm512_storeu_si512(u + 32, _mm512_permutex2var_epi64(even, second, odd));
    }
}

void sf_directions_avx512(sf_draw_kernels* kernels)
{
    kernels->normal = normal;
    kernels->binomial = binomial;
    kernels->halves = halves;
}

#endif
