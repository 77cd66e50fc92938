/* Rows by pairs: the layout of the dot kernels. */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/kernels.h"
#include "multiply/host/layouts/layouts.h"
#include "multiply/host/packed_rows.h"

#if SFI_X86
#include <emmintrin.h>

void sfi_pack_pairs(const int16_t* from, size_t length, uint32_t pairs, int16_t* words)
{
    uint32_t k = 0;
    for (; k + 4 <= pairs; k += 4)
        for (uint32_t r = 0; r < SFI_PANEL; r += 4) { /* four pairs of four rows, transposed */
            const int16_t* x = from + r * length + 2 * k;
            int16_t* to = words + (size_t)k * 2 * SFI_PANEL + 2 * r;
            const __m128i a = _mm_loadu_si128((const __m128i_u*)(const void*)x);
            const __m128i b = _mm_loadu_si128((const __m128i_u*)(const void*)(x + length));
            const __m128i c = _mm_loadu_si128((const __m128i_u*)(const void*)(x + 2 * length));
            const __m128i d = _mm_loadu_si128((const __m128i_u*)(const void*)(x + 3 * length));
            const __m128i ab = _mm_unpacklo_epi32(a, b), cd = _mm_unpacklo_epi32(c, d);
            const __m128i ab_high = _mm_unpackhi_epi32(a, b), cd_high = _mm_unpackhi_epi32(c, d);
            _mm_storeu_si128((__m128i_u*)(void*)to, _mm_unpacklo_epi64(ab, cd));
            _mm_storeu_si128((__m128i_u*)(void*)(to + 2 * SFI_PANEL), _mm_unpackhi_epi64(ab, cd));
            _mm_storeu_si128((__m128i_u*)(void*)(to + 4 * SFI_PANEL), _mm_unpacklo_epi64(ab_high, cd_high));
            _mm_storeu_si128((__m128i_u*)(void*)(to + 6 * SFI_PANEL), _mm_unpackhi_epi64(ab_high, cd_high));
        }
    for (; k < pairs; k++)
        for (uint32_t r = 0; r < SFI_PANEL; r++)
            sfi_copy(words + ((size_t)k * SFI_PANEL + r) * 2, from + r * length + 2 * k, 2 * sizeof *words);
}
#else
void sfi_pack_pairs(const int16_t* from, size_t length, uint32_t pairs, int16_t* words)
{
    for (uint32_t k = 0; k < pairs; k++)
        for (uint32_t r = 0; r < SFI_PANEL; r++)
            sfi_copy(words + ((size_t)k * SFI_PANEL + r) * 2, from + r * length + 2 * k, 2 * sizeof *words);
}
#endif

/* Interleave the rows of a line pair by pair; what fills up a segment or the panel is zero. */
static void interleave(const sfi_host_tile* t, const int16_t* line, uint32_t rows, int16_t* words)
{
    const size_t length = (size_t)t->segments * t->segment;
    if (rows < SFI_PANEL || (t->segment & 1u))
        sfi_fill(words, 0, sfi_host_panel_words(t) * sizeof *words);
    for (uint32_t s = 0; s < t->segments; s++, words += (size_t)t->pairs * 2 * SFI_PANEL) {
        const int16_t* from = line + (size_t)s * t->segment;
        if (rows == SFI_PANEL)
            sfi_pack_pairs(from, length, t->segment / 2, words);
        else
            for (uint32_t k = 0; k < t->segment / 2; k++)
                for (uint32_t r = 0; r < rows; r++)
                    sfi_copy(words + ((size_t)k * SFI_PANEL + r) * 2, from + r * length + 2 * k, 2 * sizeof *words);
        for (uint32_t r = 0; r < rows && (t->segment & 1u); r++)
            words[((size_t)(t->pairs - 1) * SFI_PANEL + r) * 2] = from[r * length + t->segment - 1];
    }
}

static void bound_rows(const sfi_host_tile* t, const int16_t* words, uint32_t rows, int32_t zero, int64_t* bounds)
{
    int64_t sum[SFI_PANEL], positive[SFI_PANEL];
    t->kernels->sums(words, (size_t)t->segments * t->pairs, sum, positive);
    for (uint32_t r = 0; r < rows; r++)
        bounds[r] = sfi_reach(positive[r], positive[r] - sum[r], zero);
}

void sfi_lay_pairs(const sfi_host_tile* t, const sfi_panel* p)
{
    interleave(t, p->line, p->rows, p->words);
    bound_rows(t, p->words, p->rows, p->zero, p->bounds);
}
