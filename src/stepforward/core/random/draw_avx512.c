/* Directions with AVX-512: eight Philox blocks side by side, and both alias tables in registers. */
#include "base/machine.h"
#include "base/tables.h"
#include "base/targets.h"
#include "random/draw.h"

#if SFI_X86
#include <immintrin.h>

/* Eight Philox blocks: word j of block i in the lower half of lane i. A word is the lower half of 64 bits: that is what
 * a multiplication reads and where it leaves the low word, so the upper halves may hold anything. */
typedef struct blocks {
    __m512i a, b, c, d;
} blocks;

SFI_VBMI_INLINE blocks start(const uint32_t counter[4], uint32_t block)
{
    const blocks s = {_mm512_add_epi32(_mm512_set1_epi32((int32_t)block), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7)),
                      _mm512_set1_epi32((int32_t)counter[1]), _mm512_set1_epi32((int32_t)counter[2]),
                      _mm512_set1_epi32((int32_t)counter[3])};
    return s;
}

SFI_VBMI_INLINE void turn(blocks* s, const uint32_t key[2])
{
    const __m512i p = _mm512_mul_epu32(s->a, _mm512_set1_epi64(0xD2511F53)),
                  q = _mm512_mul_epu32(s->c, _mm512_set1_epi64(0xCD9E8D57));
    /* 0x96: exclusive or of the three */
    s->a = _mm512_ternarylogic_epi32(_mm512_srli_epi64(q, 32), s->b, _mm512_set1_epi32((int32_t)key[0]), 0x96);
    s->c = _mm512_ternarylogic_epi32(_mm512_srli_epi64(p, 32), s->d, _mm512_set1_epi32((int32_t)key[1]), 0x96);
    s->b = q;
    s->d = p;
}

SFI_VBMI_INLINE blocks draw(const uint32_t counter[4], uint32_t block, const uint32_t keys[20])
{
    blocks s = start(counter, block);
    SFI_ROLLED for (const uint32_t* key = keys; key < keys + 20; key += 2) turn(&s, key);
    return s;
}

/* The half-words of eight blocks in the order of their elements: the first four of each in `front`, the others in
 * `back`. */
SFI_VBMI_INLINE void halves_of(const blocks* s, __m512i* front, __m512i* back)
{
    *front = _mm512_mask_shuffle_epi32(s->a, 0xaaaa, s->b, _MM_PERM_CCAA);
    *back = _mm512_mask_shuffle_epi32(s->c, 0xaaaa, s->d, _MM_PERM_CCAA);
}

/* The alias table's low bytes (KEEP) and high bytes (ALIAS + 128, less 128 for a signed result), 256 each; and where
 * the low bytes of half-words are, of which the high bytes are the next. */
typedef struct tables {
    __m512i keep[4], other[4], low;
} tables;

SFI_VBMI_INLINE tables load_tables(void)
{
    const __m512i bytes =
        _mm512_setr_epi64(0x0e0c0a0806040200, 0x1e1c1a1816141210, 0x2e2c2a2826242220, 0x3e3c3a3836343230,
                          0x4e4c4a4846444240, 0x5e5c5a5856545250, 0x6e6c6a6866646260, 0x7e7c7a7876747270);
    const __m512i high = _mm512_add_epi8(bytes, _mm512_set1_epi8(1));
    tables t;
    for (int i = 0; i < 4; i++) {
        const __m512i a = _mm512_loadu_si512(sfi_table_alias + 64 * i),
                      b = _mm512_loadu_si512(sfi_table_alias + 64 * i + 32);
        t.keep[i] = _mm512_permutex2var_epi8(a, bytes, b);
        t.other[i] = _mm512_add_epi8(_mm512_permutex2var_epi8(a, high, b), _mm512_set1_epi8(-128));
    }
    t.low = _mm512_setr_epi64(0x4644424006040200, 0x4e4c4a480e0c0a08, 0x5654525016141210, 0x5e5c5a581e1c1a18,
                              0x6664626026242220, 0x6e6c6a682e2c2a28, 0x7674727036343230, 0x7e7c7a783e3c3a38);
    return t;
}

/* table[index] of sixty-four bytes; table: 256 bytes in four registers. */
SFI_VBMI_INLINE __m512i look_up(const __m512i table[4], __m512i index, __mmask64 upper)
{
    return _mm512_mask_blend_epi8(upper, _mm512_permutex2var_epi8(table[0], index, table[1]),
                                  _mm512_permutex2var_epi8(table[2], index, table[3]));
}

SFI_VBMI_INLINE void normals(const tables* t, const blocks* s, int8_t* z)
{
    __m512i front, back;
    halves_of(s, &front, &back);
    const __m512i slot = _mm512_permutex2var_epi8(front, t->low, back);
    const __m512i r = _mm512_permutex2var_epi8(front, _mm512_add_epi8(t->low, _mm512_set1_epi8(1)), back);
    const __mmask64 upper = _mm512_movepi8_mask(slot), kept = _mm512_cmplt_epu8_mask(r, look_up(t->keep, slot, upper));
    _mm512_storeu_si512(z, _mm512_mask_add_epi8(look_up(t->other, slot, upper), kept, slot, _mm512_set1_epi8(-128)));
}

/* Two groups side by side, for the rounds of one wait for each other. */
SFI_VBMI static void normal(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, int8_t* z)
{
    const tables t = load_tables();
    uint32_t block = counter[0];
    for (; groups >= 2; groups -= 2, z += 128, block += 16) {
        blocks s = start(counter, block), next = start(counter, block + 8);
        SFI_ROLLED for (const uint32_t* key = keys; key < keys + 20; key += 2)
        {
            turn(&s, key);
            turn(&next, key);
        }
        normals(&t, &s, z);
        normals(&t, &next, z + 64);
    }
    if (groups > 0) {
        const blocks s = draw(counter, block, keys);
        normals(&t, &s, z);
    }
}

/* Popcounts of the half-words' bytes by a table of sixteen; then 18*popcount - 144. */
SFI_VBMI_INLINE __m512i coins(__m512i u)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i counts = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i low = _mm512_shuffle_epi8(counts, _mm512_and_si512(u, nibble));
    const __m512i high = _mm512_shuffle_epi8(counts, _mm512_and_si512(_mm512_srli_epi16(u, 4), nibble));
    const __m512i scaled = _mm512_maddubs_epi16(_mm512_add_epi8(low, high), _mm512_set1_epi8(18));
    return _mm512_sub_epi16(scaled, _mm512_set1_epi16(144));
}

SFI_VBMI static void binomial(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, int8_t* z)
{
    __m512i front, back;
    for (uint32_t block = counter[0]; groups > 0; groups--, z += 64, block += 8) {
        const blocks s = draw(counter, block, keys);
        halves_of(&s, &front, &back);
        const __m512i even = _mm512_unpacklo_epi64(front, back), odd = _mm512_unpackhi_epi64(front, back);
        const __m512i value = _mm512_packs_epi16(coins(even), coins(odd));
        _mm512_storeu_si512(z, _mm512_max_epi8(value, _mm512_set1_epi8(-127)));
    }
}

SFI_VBMI static void halves(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, uint16_t* u)
{
    const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11),
                  second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    __m512i front, back;
    for (uint32_t block = counter[0]; groups > 0; groups--, u += 64, block += 8) {
        const blocks s = draw(counter, block, keys);
        halves_of(&s, &front, &back);
        _mm512_storeu_si512(u, _mm512_permutex2var_epi64(front, first, back));
        _mm512_storeu_si512(u + 32, _mm512_permutex2var_epi64(front, second, back));
    }
}

void sfi_directions_avx512(sfi_draw_kernels* kernels)
{
    kernels->normal = normal;
    kernels->binomial = binomial;
    kernels->halves = halves;
}

#endif
