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

/* Fours of a whole panel's rows, `length` elements apart, row by row of a four. Returns how many: sixteen bytes of a
 * row at a time. */
static uint32_t pack_fours(const int16_t* from, size_t length, uint32_t fours, int8_t* words)
{
    uint32_t k = 0;
#if SFI_X86
    for (; k + 4 <= fours; k += 4)
        for (uint32_t r = 0; r < SFI_PANEL; r += 4) { /* four fours of four rows, transposed */
            __m128i row[4];
            for (uint32_t i = 0; i < 4; i++) {
                const int16_t* x = from + (r + i) * length + 4 * (size_t)k;
                row[i] = _mm_packs_epi16(_mm_loadu_si128((const __m128i_u*)(const void*)x),
                                         _mm_loadu_si128((const __m128i_u*)(const void*)(x + 8)));
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
    (void)from, (void)length, (void)fours, (void)words;
#endif
    return k;
}

/* Sums of a row of bytes, and of its positive ones: at most 128 * SFI_BYTE_PRODUCTS. */
SFI_CLONES
static void sum_bytes(const int16_t* w, size_t count, int32_t* sum, int32_t* positive)
{
    int32_t all = 0, above = 0;
    for (size_t i = 0; i < count; i++) {
        all += w[i];
        above += w[i] > 0 ? w[i] : 0;
    }
    *sum = all;
    *positive = above;
}

void sfi_lay_bytes(const sfi_host_tile* t, const sfi_panel* p)
{
    const size_t length = (size_t)t->segments * t->segment;
    const int32_t offset = p->zero + (int32_t)t->kernels->byte_flip;
    int8_t* words = (int8_t*)p->words;
    if (p->rows < SFI_PANEL || t->segment % 4 != 0)
        sfi_fill(words, 0, sfi_host_panel_words(t) * sizeof(int16_t));
    for (uint32_t s = 0; s < t->segments; s++, words += (size_t)t->pairs * 4 * SFI_PANEL) {
        const int16_t* from = p->line + (size_t)s * t->segment;
        const uint32_t done = p->rows == SFI_PANEL ? 4 * pack_fours(from, length, t->segment / 4, words) : 0;
        for (uint32_t r = 0; r < p->rows; r++)
            for (uint32_t k = done; k < t->segment; k++)
                words[(size_t)(k / 4 * SFI_PANEL + r) * 4 + k % 4] = (int8_t)from[r * length + k];
    }
    for (uint32_t r = 0; r < p->rows; r++) {
        int32_t sum, positive;
        sum_bytes(p->line + r * length, length, &sum, &positive);
        p->bounds[r] = sfi_reach(positive, positive - sum, p->zero);
        p->surplus[r] = sum * offset; /* |offset| <= 255 */
    }
}
