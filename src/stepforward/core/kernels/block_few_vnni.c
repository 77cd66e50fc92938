/* Convolution of at most eight rows with AVX-512 VNNI: sixteen lanes hold two pairs of every row, so that first layers with few
 * outputs do not leave half of the lanes empty. */
#include "lanes_avx512.h"

#if SF_X86

#define UNROLL _Pragma("GCC unroll 8")

/* Words: [segment][four][SF_FEW_ROWS][4]. Lane 2*r and lane 2*r+1 of a sum belong to row r. */
SF_VNNI_INLINE void dot(const sf_block* b, const int16_t* const* patches, __m512i sum[SF_BLOCK_PATCHES])
{
    const int16_t *w = b->words, *x[SF_BLOCK_PATCHES];
    UNROLL for (int p = 0; p < 8; p++) x[p] = patches[p];
    for (size_t s = 0; s < b->segments; s++) {
        size_t at = b->offsets[s];
        const int16_t* end = w + (b->pairs + 1) / 2 * 4 * SF_FEW_ROWS;
        for (; w != end; w += 4 * SF_FEW_ROWS, at += 4) {
            const __m512i words = _mm512_loadu_si512(w);
            UNROLL for (int p = 0; p < 8; p++)
            {
                int64_t four;
                sf_copy(&four, x[p] + at, sizeof four);
                sum[p] = _mm512_dpwssd_epi32(sum[p], words, _mm512_set1_epi64(four));
            }
        }
    }
}

/* The sums of two patches, eight rows each. */
SF_VNNI_INLINE __m512i joined(__m512i a, __m512i b)
{
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_permutex2var_epi32(a, even, b), _mm512_permutex2var_epi32(a, odd, b));
}

SF_VNNI_INLINE __m512i twice(__m512i v) { return _mm512_shuffle_i64x2(v, v, 0x44); }

SF_VNNI void sf_grid_few_vnni(const sf_block* b, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y)
{
    const sf_lanes half = sf_lanes_load(rows, 0, count);
    const sf_lanes l = {twice(half.bias), twice(half.low), twice(half.high), twice(half.half), twice(half.shift),
                        ~_mm512_movepi16_mask(twice(half.high)), half.lo, half.hi, count, half.clamps};
    sf_cursor cursor = sf_grid_start(grid);
    sf_eight eight;
    sf_panel_outputs few;
    while (sf_grid_next(&cursor, &eight)) {
        __m512i sum[SF_BLOCK_PATCHES];
        UNROLL for (int p = 0; p < 8; p++) sum[p] = _mm512_setzero_si512();
        dot(b, eight.patches, sum);
        UNROLL for (int p = 0; p < 8; p++) SF_KEEP(sum[p]);
        /* Where four outputs or more lie side by side, what a store of eight bytes writes beyond them is written again by the next one;
         * not so the last one's. */
        const int dense =
            count == SF_FEW_ROWS || (count >= 4 && eight.count == 8 && eight.at[7] - eight.at[0] == 7 * (size_t)count);
        const int last = count == SF_FEW_ROWS;
        UNROLL for (int p = 0; p < 8; p += 2)
        {
            const __m128i v = sf_lanes_bytes(&l, _mm512_add_epi32(joined(sum[p], sum[p + 1]), l.bias));
            int8_t *a = dense ? y + eight.at[p] : few[p], *c = (p < 6 ? dense : last) ? y + eight.at[p + 1] : few[p + 1];
            _mm_storel_epi64((__m128i_u*)(void*)a, v);
            _mm_storel_epi64((__m128i_u*)(void*)c, _mm_srli_si128(v, 8));
        }
        if (!dense)
            sf_store_few(few, count, y, eight.at);
        else if (!last)
            for (uint32_t r = 0; r < count; r++)
                y[eight.at[7] + r] = few[7][r];
    }
}

#endif
