/* sfi_block_window with the multiply-add of AVX2: 4 positions x 16 channels at a time, every accumulator in a register
 * until it is stored, or until it has become a byte. */
#include "base/machine.h"
#include "base/pass.h"
#include "base/targets.h"
#include "multiply/host/avx2/avx2.h"
#include "multiply/host/avx2/lanes_avx2.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SFI_X86

#define UNROLL _Pragma("GCC unroll 4")

SFI_AVX2_INLINE void window(const sfi_block* b, const int16_t* const* patches, const int16_t* w, size_t channel,
                            __m256i sum[4][2])
{
    const int16_t* x[4];
    UNROLL for (int p = 0; p < 4; p++)
        x[p] = patches[p] + channel;
    for (size_t s = 0; s < b->segments; s++, w += 2 * SFI_PANEL) {
        const size_t at = b->offsets[s];
        const __m256i words = sfi_load(w), more = sfi_load(w + SFI_PANEL);
        UNROLL for (int p = 0; p < 4; p++) {
            sum[p][0] = _mm256_add_epi32(sum[p][0], _mm256_madd_epi16(words, sfi_load(x[p] + at)));
            sum[p][1] = _mm256_add_epi32(sum[p][1], _mm256_madd_epi16(more, sfi_load(x[p] + at + SFI_PANEL)));
        }
    }
}

SFI_AVX2 static void four(const sfi_block* b, const int16_t* const* patches, uint32_t panel, int32_t* acc,
                          size_t acc_stride)
{
    __m256i sum[4][2];
    UNROLL for (int p = 0; p < 4; p++)
        sum[p][0] = sum[p][1] = _mm256_setzero_si256();
    window(b, patches, b->words + panel * b->panel, panel * 2 * SFI_PANEL, sum);
    UNROLL for (int p = 0; p < 4; p++) {
        __m256i_u* out = (__m256i_u*)(void*)(acc + (size_t)p * acc_stride);
        _mm256_storeu_si256(out, sum[p][0]);
        _mm256_storeu_si256(out + 1, sum[p][1]);
    }
}

void sfi_block_window_avx2(const sfi_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                           size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++)
        for (uint32_t first = 0; first < SFI_BLOCK_PATCHES; first += 4)
            four(b, patches + first, j, acc + first * acc_stride + j * SFI_PANEL, acc_stride);
}

SFI_AVX2_INLINE void finish(const sfi_block* b, const int16_t* const* patches, uint32_t panel, const sfi_lanes* l,
                            int8_t* const out[4])
{
    __m256i sum[4][2];
    UNROLL for (int p = 0; p < 4; p++) {
        sum[p][0] = l->bias[0];
        sum[p][1] = l->bias[1];
    }
    window(b, patches, b->words + panel * b->panel, panel * 2 * SFI_PANEL, sum);
    sfi_lanes_store(l, sum, out);
}

SFI_AVX2_INLINE void finish_eight(const sfi_block* b, const sfi_eight* eight, uint32_t r, const sfi_lanes* l, int8_t* y)
{
    sfi_panel_outputs few;
    const int whole = l->count == SFI_PANEL;
    for (uint32_t first = 0; first < SFI_BLOCK_PATCHES && (first < eight->count || !whole); first += 4) {
        int8_t* out[4];
        for (uint32_t p = 0; p < 4; p++)
            out[p] = whole ? y + eight->at[first + p] + r : few[first + p];
        finish(b, eight->patches + first, r / SFI_PANEL, l, out);
    }
    if (!whole)
        sfi_store_few(few, l->count, y + r, eight->at);
}

#define EIGHTS 16u /* positions are walked once for all panels */

SFI_AVX2 void sfi_grid_window_avx2(const sfi_block* b, const sfi_grid* grid, const sfi_rows* rows, uint32_t count,
                                   int8_t* y)
{
    sfi_cursor cursor = sfi_grid_start(grid);
    sfi_eight eights[EIGHTS];
    for (uint32_t some = EIGHTS; some == EIGHTS;) {
        for (some = 0; some < EIGHTS && sfi_grid_next(&cursor, eights + some);)
            some++;
        for (uint32_t r = 0; r < count; r += SFI_PANEL) {
            const sfi_lanes l = sfi_lanes_load(rows, r, count - r);
            for (uint32_t i = 0; i < some; i++)
                finish_eight(b, eights + i, r, &l, y);
        }
    }
}

#endif
