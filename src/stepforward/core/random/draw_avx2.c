/* Directions with AVX2: eight Philox blocks side by side in two registers a word; the alias tables by sixteen entries.
 */
#include "base/machine.h"
#include "base/tables.h"
#include "base/targets.h"
#include "random/draw.h"

#if SFI_X86
#include <immintrin.h>

SFI_AVX2_INLINE __m256i round_of(__m256i product, __m256i word, __m256i key)
{
    return _mm256_xor_si256(_mm256_srli_epi64(product, 32), _mm256_xor_si256(word, key));
}

/* The half-words of four blocks, of 0, 2 and of 1, 3, from words in the lower halves of 64 bits. */
SFI_AVX2_INLINE void gather(__m256i a, __m256i b, __m256i c, __m256i d, __m256i* even, __m256i* odd)
{
    const __m256i front = _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xaa);
    const __m256i back = _mm256_blend_epi32(c, _mm256_slli_epi64(d, 32), 0xaa);
    *even = _mm256_unpacklo_epi64(front, back);
    *odd = _mm256_unpackhi_epi64(front, back);
}

/* The half-words of eight blocks from counter[0] on: u[0] of 0, 2; u[1] of 1, 3; u[2] of 4, 6; u[3] of 5, 7. A word is
 * the lower half of 64 bits: that is what a multiplication reads and where it leaves the low word, so the upper halves
 * may hold anything. */
SFI_AVX2_INLINE void draw(const uint32_t counter[4], const uint32_t keys[20], __m256i u[4])
{
    const __m256i m0 = _mm256_set1_epi64x(0xD2511F53), m1 = _mm256_set1_epi64x(0xCD9E8D57);
    __m256i a = _mm256_add_epi32(_mm256_set1_epi32((int32_t)counter[0]), _mm256_setr_epi64x(0, 1, 2, 3));
    __m256i b = _mm256_set1_epi32((int32_t)counter[1]), c = _mm256_set1_epi32((int32_t)counter[2]);
    __m256i d = _mm256_set1_epi32((int32_t)counter[3]);
    __m256i e = _mm256_add_epi32(a, _mm256_set1_epi64x(4)), f = b, g = c, h = d;
    SFI_ROLLED for (const uint32_t* key = keys; key < keys + 20; key += 2)
    {
        const __m256i first = _mm256_set1_epi32((int32_t)key[0]), second = _mm256_set1_epi32((int32_t)key[1]);
        const __m256i p = _mm256_mul_epu32(a, m0), q = _mm256_mul_epu32(c, m1);
        const __m256i r = _mm256_mul_epu32(e, m0), s = _mm256_mul_epu32(g, m1);
        a = round_of(q, b, first);
        c = round_of(p, d, second);
        e = round_of(s, f, first);
        g = round_of(r, h, second);
        b = q;
        d = p;
        f = s;
        h = r;
    }
    gather(a, b, c, d, u, u + 1);
    gather(e, f, g, h, u + 2, u + 3);
}

/* Step i of a table: sixteen entries, as differences to the sixteen before. */
SFI_AVX2_INLINE __m256i step_of(const uint8_t table[256], int i)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i_u*)(const void*)(table + 16 * i)));
}

/* Adds eight steps of both tables for indices 0 .. 127; others are negative and give nothing. A shuffle reads the low
 * four bits of an index that is still too large, so the differences add up until the index is below sixteen. */
SFI_AVX2_INLINE void look_up(int first, const __m256i index[2], __m256i keep[2], __m256i other[2])
{
    __m256i x = index[0], y = index[1];
    SFI_ROLLED for (int i = first; i < first + 8; i++)
    {
        const __m256i k = step_of(sfi_table_keep_steps, i), o = step_of(sfi_table_alias_steps, i);
        keep[0] = _mm256_xor_si256(keep[0], _mm256_shuffle_epi8(k, x));
        keep[1] = _mm256_xor_si256(keep[1], _mm256_shuffle_epi8(k, y));
        other[0] = _mm256_xor_si256(other[0], _mm256_shuffle_epi8(o, x));
        other[1] = _mm256_xor_si256(other[1], _mm256_shuffle_epi8(o, y));
        x = _mm256_subs_epi8(x, _mm256_set1_epi8(16));
        y = _mm256_subs_epi8(y, _mm256_set1_epi8(16));
    }
}

SFI_AVX2 static void normal(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, int8_t* z)
{
    const __m256i bytes = _mm256_set1_epi16(255), middle = _mm256_set1_epi8(-128);
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    __m256i u[4];
    for (; groups > 0; groups--, z += 64, at[0] += 8) {
        __m256i slot[2], upper[2], keep[2], other[2];
        draw(at, keys, u);
        for (int i = 0; i < 2; i++) {
            slot[i] = _mm256_packus_epi16(_mm256_and_si256(u[2 * i], bytes), _mm256_and_si256(u[2 * i + 1], bytes));
            upper[i] = _mm256_xor_si256(slot[i], middle);
            keep[i] = other[i] = _mm256_setzero_si256();
        }
        look_up(0, slot, keep, other);
        look_up(8, upper, keep, other);
        for (int i = 0; i < 2; i++) {
            const __m256i r = _mm256_packus_epi16(_mm256_srli_epi16(u[2 * i], 8), _mm256_srli_epi16(u[2 * i + 1], 8));
            const __m256i left = _mm256_cmpeq_epi8(_mm256_max_epu8(r, keep[i]), r); /* r >= KEEP */
            const __m256i value = _mm256_blendv_epi8(slot[i], other[i], left);
            _mm256_storeu_si256((__m256i_u*)(void*)(z + 32 * i), _mm256_xor_si256(value, middle)); /* minus 128 */
        }
    }
}

/* Popcounts of the half-words' bytes by a table of sixteen; then 18*popcount - 144. */
SFI_AVX2_INLINE __m256i coins(__m256i u)
{
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i counts = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i low = _mm256_shuffle_epi8(counts, _mm256_and_si256(u, nibble));
    const __m256i high = _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(u, 4), nibble));
    const __m256i scaled = _mm256_maddubs_epi16(_mm256_add_epi8(low, high), _mm256_set1_epi8(18));
    return _mm256_sub_epi16(scaled, _mm256_set1_epi16(144));
}

SFI_AVX2 static void binomial(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, int8_t* z)
{
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    __m256i u[4];
    for (; groups > 0; groups--, z += 64, at[0] += 8) {
        draw(at, keys, u);
        for (int i = 0; i < 2; i++) {
            const __m256i value = _mm256_packs_epi16(coins(u[2 * i]), coins(u[2 * i + 1]));
            _mm256_storeu_si256((__m256i_u*)(void*)(z + 32 * i), _mm256_max_epi8(value, _mm256_set1_epi8(-127)));
        }
    }
}

SFI_AVX2 static void halves(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, uint16_t* u)
{
    uint32_t at[4] = {counter[0], counter[1], counter[2], counter[3]};
    __m256i drawn[4];
    for (; groups > 0; groups--, u += 64, at[0] += 8) {
        draw(at, keys, drawn);
        for (int i = 0; i < 2; i++) {
            const __m256i even = drawn[2 * i], odd = drawn[2 * i + 1];
            _mm256_storeu_si256((__m256i_u*)(void*)(u + 32 * i), _mm256_permute2x128_si256(even, odd, 0x20));
            _mm256_storeu_si256((__m256i_u*)(void*)(u + 32 * i + 16), _mm256_permute2x128_si256(even, odd, 0x31));
        }
    }
}

/* A byte is set where its bit of the word is. */
SFI_AVX2 static void signs(const uint32_t words[4], int8_t z[128])
{
    const __m256i spread = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bits = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    for (int i = 0; i < 4; i++) {
        const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((int32_t)words[i]), spread);
        const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bits), bits);
        const __m256i value = _mm256_sub_epi8(_mm256_and_si256(set, _mm256_set1_epi8(72)), _mm256_set1_epi8(36));
        _mm256_storeu_si256((__m256i_u*)(void*)(z + 32 * i), value);
    }
}

void sfi_directions_avx2(sfi_draw_kernels* kernels)
{
    kernels->normal = normal;
    kernels->binomial = binomial;
    kernels->halves = halves;
    kernels->signs = signs;
}

#endif
