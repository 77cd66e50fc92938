/* sf_block_window with the multiply-add of AVX-512 VNNI: 8 positions x 16 channels, every accumulator in a register until it is
 * stored, or until it has become a byte. */
#include "lanes_avx512.h"

#if SF_X86

#define UNROLL _Pragma("GCC unroll 8")

/* One panel; `channel`: elements to its first channel in the patches. */
SF_VNNI_INLINE void window(const sf_block* b, const int16_t* w, const int16_t* const* patches, size_t channel,
                           __m512i sum[SF_BLOCK_PATCHES])
{
    const int16_t* x[SF_BLOCK_PATCHES];
    UNROLL for (int p = 0; p < 8; p++) x[p] = patches[p] + channel;
    for (size_t s = 0; s < b->segments; s++, w += 2 * SF_PANEL) {
        const size_t at = b->offsets[s];
        const __m512i words = _mm512_loadu_si512(w);
        UNROLL for (int p = 0; p < 8; p++) sum[p] = _mm512_dpwssd_epi32(sum[p], words, _mm512_loadu_si512(x[p] + at));
    }
}

SF_VNNI void sf_block_window_vnni(const sf_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++) {
        __m512i sum[SF_BLOCK_PATCHES];
        UNROLL for (int p = 0; p < 8; p++) sum[p] = _mm512_setzero_si512();
        window(b, b->words + j * b->panel, patches, j * 2 * SF_PANEL, sum);
        UNROLL for (int p = 0; p < 8; p++) _mm512_storeu_si512(acc + (size_t)p * acc_stride + j * SF_PANEL, sum[p]);
    }
}

SF_VNNI void sf_grid_window_vnni(const sf_block* b, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y)
{
    for (uint32_t r = 0; r < count; r += SF_PANEL) {
        const int16_t* w = b->words + r / SF_PANEL * b->panel;
        const sf_lanes lanes = sf_lanes_load(rows, r, count - r);
        sf_cursor cursor = sf_grid_start(grid);
        sf_eight eight;
        while (sf_grid_next(&cursor, &eight)) {
            __m512i sum[SF_BLOCK_PATCHES];
            UNROLL for (int p = 0; p < 8; p++) sum[p] = lanes.bias;
            window(b, w, eight.patches, r * 2, sum);
            UNROLL for (int p = 0; p < 8; p++) sf_store_bytes(sf_lanes_bytes(&lanes, sum[p]), lanes.count, y + eight.at[p] + r);
        }
    }
}

#endif
