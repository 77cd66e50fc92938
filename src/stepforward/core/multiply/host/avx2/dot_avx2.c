/* sf_block_dot with the multiply-add of AVX2: 4 patches x 16 rows at a time, every accumulator in a register until it is stored, or
 * until it has become a byte. */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/avx2/lanes_avx2.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SF_X86

#define UNROLL _Pragma("GCC unroll 4")

/* halves: 1 for at most eight rows. */
SF_AVX2_INLINE void dot(const sf_block* b, const int16_t* const* patches, const int16_t* w, const int halves, __m256i sum[4][2])
{
    const int16_t* x[4];
    UNROLL for (int p = 0; p < 4; p++) x[p] = patches[p];
    for (size_t s = 0; s < b->segments; s++) {
        size_t at = b->offsets[s];
        const int16_t* end = w + b->pairs * 2 * SF_PANEL;
        for (; w != end; w += 2 * SF_PANEL, at += 2) {
            const __m256i words = sf_load(w), more = sf_load(w + SF_PANEL);
            UNROLL for (int p = 0; p < 4; p++)
            {
                int32_t pair;
                sf_copy(&pair, x[p] + at, sizeof pair);
                const __m256i both = _mm256_set1_epi32(pair);
                sum[p][0] = _mm256_add_epi32(sum[p][0], _mm256_madd_epi16(words, both));
                if (halves > 1)
                    sum[p][1] = _mm256_add_epi32(sum[p][1], _mm256_madd_epi16(more, both));
            }
        }
    }
}

SF_AVX2 static void four(const sf_block* b, const int16_t* const* patches, const int16_t* w, int32_t* acc, size_t acc_stride)
{
    __m256i sum[4][2];
    UNROLL for (int p = 0; p < 4; p++) sum[p][0] = sum[p][1] = _mm256_setzero_si256();
    dot(b, patches, w, 2, sum);
    UNROLL for (int p = 0; p < 4; p++)
    {
        __m256i_u* out = (__m256i_u*)(void*)(acc + (size_t)p * acc_stride);
        _mm256_storeu_si256(out, sum[p][0]);
        _mm256_storeu_si256(out + 1, sum[p][1]);
    }
}

void sf_block_dot_avx2(const sf_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++)
        for (uint32_t first = 0; first < SF_BLOCK_PATCHES; first += 4)
            four(b, patches + first, b->words + j * b->panel, acc + first * acc_stride + j * SF_PANEL, acc_stride);
}

SF_AVX2_INLINE void finish(const sf_block* b, const int16_t* const* patches, const int16_t* w, const sf_lanes* l, const int halves,
                           int8_t* const out[4])
{
    __m256i sum[4][2];
    UNROLL for (int p = 0; p < 4; p++)
    {
        sum[p][0] = l->bias[0];
        sum[p][1] = l->bias[1];
    }
    dot(b, patches, w, halves, sum);
    sf_lanes_store(l, sum, out);
}

SF_AVX2 static void whole(const sf_block* b, const int16_t* const* patches, const int16_t* w, const sf_lanes* l, int8_t* const out[4])
{
    finish(b, patches, w, l, 2, out);
}

SF_AVX2 static void half(const sf_block* b, const int16_t* const* patches, const int16_t* w, const sf_lanes* l, int8_t* const out[4])
{
    finish(b, patches, w, l, 1, out);
}

SF_AVX2 void sf_grid_dot_avx2(const sf_block* b, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y)
{
    sf_lanes lanes[SF_BLOCK_PANELS];
    sf_cursor cursor = sf_grid_start(grid);
    sf_eight eight;
    sf_panel_outputs few;
    for (uint32_t r = 0; r < count; r += SF_PANEL)
        lanes[r / SF_PANEL] = sf_lanes_load(rows, r, count - r);
    while (sf_grid_next(&cursor, &eight))
        for (uint32_t r = 0; r < count; r += SF_PANEL) {
            const sf_lanes* l = &lanes[r / SF_PANEL];
            const int16_t* w = b->words + r / SF_PANEL * b->panel;
            for (uint32_t first = 0; first < SF_BLOCK_PATCHES && (first < eight.count || l->count < SF_PANEL); first += 4) {
                int8_t* out[4];
                for (uint32_t p = 0; p < 4; p++)
                    out[p] = l->count == SF_PANEL ? y + eight.at[first + p] + r : few[first + p];
                (l->count > SF_PANEL / 2 ? whole : half)(b, eight.patches + first, w, l, out);
            }
            if (l->count < SF_PANEL)
                sf_store_few(few, l->count, y + r, eight.at);
        }
}

#endif
