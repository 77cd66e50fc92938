/* sf_block_dot with the multiply-add of AVX-512 VNNI: 8 patches x 16, 32 or 48 rows, every accumulator in a register until it is
 * stored, or until it has become a byte. */
#include "lanes_avx512.h"

#if SF_X86

#define UNROLL _Pragma("GCC unroll 8")

SF_VNNI_INLINE void dot(const sf_block* b, const int16_t* const* patches, const int panels,
                        __m512i sum[SF_BLOCK_PANELS][SF_BLOCK_PATCHES])
{
    const int16_t *w = b->words, *x[SF_BLOCK_PATCHES];
    const size_t panel = b->panel;
    UNROLL for (int p = 0; p < 8; p++) x[p] = patches[p];
    for (size_t s = 0; s < b->segments; s++) {
        size_t at = b->offsets[s];
        const int16_t* end = w + b->pairs * 2 * SF_PANEL;
        for (; w != end; w += 2 * SF_PANEL, at += 2) {
            __m512i words[SF_BLOCK_PANELS];
            UNROLL for (int j = 0; j < panels; j++) words[j] = _mm512_loadu_si512(w + (size_t)j * panel);
            UNROLL for (int p = 0; p < 8; p++)
            {
                int32_t pair;
                sf_copy(&pair, x[p] + at, sizeof pair);
                const __m512i both = _mm512_set1_epi32(pair);
                UNROLL for (int j = 0; j < panels; j++) sum[j][p] = _mm512_dpwssd_epi32(sum[j][p], words[j], both);
            }
        }
    }
}

SF_VNNI_INLINE void store(const sf_block* b, const int16_t* const* patches, const int panels, int32_t* acc, size_t acc_stride)
{
    __m512i sum[SF_BLOCK_PANELS][SF_BLOCK_PATCHES];
    UNROLL for (int p = 0; p < 8; p++)
        UNROLL for (int j = 0; j < panels; j++) sum[j][p] = _mm512_setzero_si512();
    dot(b, patches, panels, sum);
    UNROLL for (int p = 0; p < 8; p++)
        UNROLL for (int j = 0; j < panels; j++) _mm512_storeu_si512(acc + (size_t)p * acc_stride + j * (int)SF_PANEL, sum[j][p]);
}

SF_VNNI static void one(const sf_block* b, const int16_t* const* patches, int32_t* acc, size_t acc_stride)
{
    store(b, patches, 1, acc, acc_stride);
}

SF_VNNI static void two(const sf_block* b, const int16_t* const* patches, int32_t* acc, size_t acc_stride)
{
    store(b, patches, 2, acc, acc_stride);
}

SF_VNNI static void three(const sf_block* b, const int16_t* const* patches, int32_t* acc, size_t acc_stride)
{
    store(b, patches, 3, acc, acc_stride);
}

void sf_block_dot_vnni(const sf_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    (panels == 1 ? one : panels == 2 ? two : three)(b, patches, acc, acc_stride);
}

SF_VNNI_INLINE void finish(const sf_block* b, const sf_grid* grid, const sf_lanes* lanes, const int panels, int8_t* y)
{
    sf_cursor cursor = sf_grid_start(grid);
    sf_eight eight;
    sf_panel_outputs few;
    while (sf_grid_next(&cursor, &eight)) {
        __m512i sum[SF_BLOCK_PANELS][SF_BLOCK_PATCHES];
        UNROLL for (int p = 0; p < 8; p++)
            UNROLL for (int j = 0; j < panels; j++) sum[j][p] = lanes[j].bias;
        dot(b, eight.patches, panels, sum);
        UNROLL for (int j = 0; j < panels; j++)
            UNROLL for (int p = 0; p < 8; p++) SF_KEEP(sum[j][p]);
        UNROLL for (int j = 0; j < panels; j++)
        {
            const sf_lanes l = lanes[j];
            const int full = l.count == SF_PANEL;
            UNROLL for (int p = 0; p < 8; p++)
            {
                int8_t* out = full ? y + eight.at[p] + j * (int)SF_PANEL : few[p];
                _mm_storeu_si128((__m128i_u*)(void*)out, sf_lanes_bytes(&l, sum[j][p]));
            }
        }
        if (lanes[panels - 1].count < SF_PANEL)
            sf_store_few(few, lanes[panels - 1].count, y + (panels - 1) * (int)SF_PANEL, eight.at);
    }
}

SF_VNNI static void finish_one(const sf_block* b, const sf_grid* grid, const sf_lanes* l, int8_t* y) { finish(b, grid, l, 1, y); }
SF_VNNI static void finish_two(const sf_block* b, const sf_grid* grid, const sf_lanes* l, int8_t* y) { finish(b, grid, l, 2, y); }
SF_VNNI static void finish_three(const sf_block* b, const sf_grid* grid, const sf_lanes* l, int8_t* y) { finish(b, grid, l, 3, y); }

SF_VNNI void sf_grid_dot_vnni(const sf_block* b, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y)
{
    sf_lanes lanes[SF_BLOCK_PANELS];
    uint32_t panels = 0;
    for (uint32_t r = 0; r < count; r += SF_PANEL)
        lanes[panels++] = sf_lanes_load(rows, r, count - r);
    (panels == 1 ? finish_one : panels == 2 ? finish_two : finish_three)(b, grid, lanes, y);
}

#endif
