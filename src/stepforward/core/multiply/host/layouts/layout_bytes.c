/* Rows of bytes by fours: the layout of the byte kernels. A band of bytes holds x ^ byte_flip, which is (x - zero) +
 * (zero + byte_flip): every sum has a surplus. */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/kernels.h"
#include "multiply/host/layouts/layouts.h"
#include "multiply/host/packed_rows.h"

#if SFI_X86
#include <emmintrin.h>
#endif

/* The byte of an element that a plane holds: its only one, the upper or the lower. */
enum { ONLY, UPPER, LOWER };

#if SFI_X86
/* As words that are packed with saturation and lose nothing. */
SFI_INLINE __m128i byte_of(__m128i v, int plane)
{
    v = plane == LOWER ? _mm_slli_epi16(v, 8) : v;
    return plane == ONLY ? v : _mm_srai_epi16(v, 8);
}
#endif

/* Fours of a whole panel's rows, `length` elements apart, row by row of a four. Returns how many: sixteen bytes of a
 * row at a time. */
SFI_INLINE uint32_t pack_fours(const int16_t* from, size_t length, uint32_t fours, const int plane, int8_t* words)
{
    uint32_t k = 0;
#if SFI_X86
    for (; k + 4 <= fours; k += 4)
        for (uint32_t r = 0; r < SFI_PANEL; r += 4) { /* four fours of four rows, transposed */
            __m128i row[4];
            for (uint32_t i = 0; i < 4; i++) {
                const int16_t* x = from + (r + i) * length + 4 * (size_t)k;
                row[i] = _mm_packs_epi16(byte_of(_mm_loadu_si128((const __m128i_u*)(const void*)x), plane),
                                         byte_of(_mm_loadu_si128((const __m128i_u*)(const void*)(x + 8)), plane));
            }
            __m128i_u* to = (__m128i_u*)(void*)(words + ((size_t)k * SFI_PANEL + r) * 4);
            const __m128i ab = _mm_unpacklo_epi32(row[0], row[1]), cd = _mm_unpacklo_epi32(row[2], row[3]);
            const __m128i ab_high = _mm_unpackhi_epi32(row[0], row[1]), cd_high = _mm_unpackhi_epi32(row[2], row[3]);
            _mm_storeu_si128(to, _mm_unpacklo_epi64(ab, cd));
            _mm_storeu_si128(to + SFI_PANEL / 4, _mm_unpackhi_epi64(ab, cd));
            _mm_storeu_si128(to + SFI_PANEL / 2, _mm_unpacklo_epi64(ab_high, cd_high));
            _mm_storeu_si128(to + SFI_PANEL * 3 / 4, _mm_unpackhi_epi64(ab_high, cd_high));
        }
#else
    (void)from, (void)length, (void)fours, (void)plane, (void)words;
#endif
    return k;
}

/* Sums of a row, and of its positive weights: at most 128 * SFI_BYTE_PRODUCTS, or 32768 * SFI_SPLIT_PRODUCTS. */
SFI_CLONES
static void sum_row(const int16_t* w, size_t count, int32_t* sum, int32_t* positive)
{
    int32_t all = 0, above = 0;
    for (size_t i = 0; i < count; i++) {
        all += w[i];
        above += w[i] > 0 ? w[i] : 0;
    }
    *sum = all;
    *positive = above;
}

SFI_INLINE void lay_plane(const sfi_host_tile* t, const sfi_panel* p, const int plane, int8_t* words)
{
    const size_t length = (size_t)t->segments * t->segment;
    for (uint32_t s = 0; s < t->segments; s++, words += (size_t)t->pairs * 4 * SFI_PANEL) {
        const int16_t* from = p->line + (size_t)s * t->segment;
        const uint32_t done = p->rows == SFI_PANEL ? 4 * pack_fours(from, length, t->segment / 4, plane, words) : 0;
        for (uint32_t r = 0; r < p->rows; r++)
            for (uint32_t k = done; k < t->segment; k++)
                words[(size_t)(k / 4 * SFI_PANEL + r) * 4 + k % 4] =
                    (int8_t)(plane == UPPER ? from[r * length + k] >> 8 : from[r * length + k]);
    }
}

void sfi_lay_bytes(const sfi_host_tile* t, const sfi_panel* p)
{
    const size_t length = (size_t)t->segments * t->segment;
    const int32_t offset = p->zero + (int32_t)t->kernels->byte_flip;
    int8_t* words = (int8_t*)p->words;
    if (p->rows < SFI_PANEL || t->segment % 4 != 0)
        sfi_fill(words, 0, sfi_host_panel_words(t) * sizeof(int16_t));
    if (t->split) {
        lay_plane(t, p, UPPER, words);
        lay_plane(t, p, LOWER, words + sfi_host_plane_words(t) * sizeof(int16_t));
    } else {
        lay_plane(t, p, ONLY, words);
    }
    for (uint32_t r = 0; r < p->rows; r++) {
        int32_t sum, positive;
        sum_row(p->line + r * length, length, &sum, &positive);
        p->bounds[r] = sfi_reach(positive, (int64_t)positive - sum, p->zero);
        p->surplus[r] = (int64_t)sum * offset; /* |offset| <= 255 */
    }
}
