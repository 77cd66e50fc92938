/* Normal directions with AVX-512: sixteen Philox blocks side by side, and both alias tables in registers. */
#include "internal.h"

#if SF_X86
#include <immintrin.h>

#define VBMI __attribute__((target("avx512f,avx512bw,avx512vbmi")))
#define VBMI_INLINE static inline __attribute__((target("avx512f,avx512bw,avx512vbmi"), always_inline))

/* High and low words of sixteen products a * m. */
VBMI_INLINE void multiply(__m512i a, __m512i m, __m512i* high, __m512i* low)
{
    const __m512i even = _mm512_mul_epu32(a, m), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), m);
    *high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
    *low = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}

/* words[j]: word j of the sixteen blocks from counter[0] on. */
VBMI_INLINE void philox(const uint32_t counter[4], const uint32_t key[2], __m512i words[4])
{
    const __m512i m0 = _mm512_set1_epi64(0xD2511F53), m1 = _mm512_set1_epi64(0xCD9E8D57);
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i a = _mm512_add_epi32(_mm512_set1_epi32((int32_t)counter[0]), lanes), b = _mm512_set1_epi32((int32_t)counter[1]);
    __m512i c = _mm512_set1_epi32((int32_t)counter[2]), d = _mm512_set1_epi32((int32_t)counter[3]);
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        __m512i p_high, p_low, q_high, q_low;
        multiply(a, m0, &p_high, &p_low);
        multiply(c, m1, &q_high, &q_low);
        a = _mm512_ternarylogic_epi32(q_high, b, _mm512_set1_epi32((int32_t)k0), 0x96); /* exclusive or of the three */
        c = _mm512_ternarylogic_epi32(p_high, d, _mm512_set1_epi32((int32_t)k1), 0x96);
        b = q_low;
        d = p_low;
    }
    words[0] = a;
    words[1] = b;
    words[2] = c;
    words[3] = d;
}

/* table[index] of sixty-four bytes; table: 256 bytes in four registers. */
VBMI_INLINE __m512i look_up(const __m512i table[4], __m512i index, __mmask64 upper)
{
    return _mm512_mask_blend_epi8(upper, _mm512_permutex2var_epi8(table[0], index, table[1]),
                                  _mm512_permutex2var_epi8(table[2], index, table[3]));
}

/* z of the half-words of two words: in every 128 bits four blocks' word x, then their word y. */
VBMI_INLINE __m512i normals(__m512i x, __m512i y, const __m512i keep[4], const __m512i other[4])
{
    const __m512i bytes = _mm512_set1_epi16(255);
    const __m512i slot = _mm512_packus_epi16(_mm512_and_si512(x, bytes), _mm512_and_si512(y, bytes));
    const __m512i r = _mm512_packus_epi16(_mm512_srli_epi16(x, 8), _mm512_srli_epi16(y, 8));
    const __mmask64 upper = _mm512_movepi8_mask(slot), kept = _mm512_cmplt_epu8_mask(r, look_up(keep, slot, upper));
    const __m512i z = _mm512_mask_blend_epi8(kept, look_up(other, slot, upper), slot);
    return _mm512_xor_si512(z, _mm512_set1_epi8(-128)); /* minus 128 */
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

VBMI static void normal_blocks(const uint32_t counter[4], const uint32_t key[2], int8_t z[128])
{
    /* from [four blocks' word 0, word 1] and [word 2, word 3] to one block after the other, two elements at a time */
    static const int16_t order[32] = {0, 4,  32, 36, 1, 5,  33, 37, 2,  6,  34, 38, 3,  7,  35, 39,
                                      8, 12, 40, 44, 9, 13, 41, 45, 10, 14, 42, 46, 11, 15, 43, 47};
    const __m512i first = _mm512_loadu_si512(order);
    const __m512i second = _mm512_add_epi16(first, _mm512_set1_epi16(16));
    __m512i words[4], keep[4], other[4];
    load_tables(keep, other);
    philox(counter, key, words);
    const __m512i front = normals(words[0], words[1], keep, other), back = normals(words[2], words[3], keep, other);
    _mm512_storeu_si512(z, _mm512_permutex2var_epi16(front, first, back));
    _mm512_storeu_si512(z + 64, _mm512_permutex2var_epi16(front, second, back));
}

sf_normal_kernel sf_normal_x86(void)
{
    return __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw") ? normal_blocks : NULL;
}

#else

sf_normal_kernel sf_normal_x86(void) { return NULL; }

#endif
