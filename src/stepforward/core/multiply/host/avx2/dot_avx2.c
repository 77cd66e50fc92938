/* sfi_block_dot with the multiply-add of AVX2: 4 patches x 16 rows at a time, every accumulator in a register until it
 * is stored, or until it has become a byte. */
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

/* halves: 1 for at most eight rows. */
SFI_AVX2_INLINE void dot(const sfi_block* b, const int16_t* const* patches, const int16_t* w, const int halves,
                         __m256i sum[4][2])
{
    const int16_t* x[4];
    UNROLL for (int p = 0; p < 4; p++)
        x[p] = patches[p];
    for (size_t s = 0; s < b->segments; s++) {
        size_t at = b->offsets[s];
        const int16_t* end = w + b->pairs * 2 * SFI_PANEL;
        for (; w != end; w += 2 * SFI_PANEL, at += 2) {
            const __m256i words = sfi_load(w), more = sfi_load(w + SFI_PANEL);
            UNROLL for (int p = 0; p < 4; p++) {
                int32_t pair;
                sfi_copy(&pair, x[p] + at, sizeof pair);
                const __m256i both = _mm256_set1_epi32(pair);
                sum[p][0] = _mm256_add_epi32(sum[p][0], _mm256_madd_epi16(words, both));
                if (halves > 1)
                    sum[p][1] = _mm256_add_epi32(sum[p][1], _mm256_madd_epi16(more, both));
            }
        }
    }
}

SFI_AVX2 static void four(const sfi_block* b, const int16_t* const* patches, const int16_t* w, int32_t* acc,
                          size_t acc_stride)
{
    __m256i sum[4][2];
    UNROLL for (int p = 0; p < 4; p++)
        sum[p][0] = sum[p][1] = _mm256_setzero_si256();
    dot(b, patches, w, 2, sum);
    UNROLL for (int p = 0; p < 4; p++) {
        __m256i_u* out = (__m256i_u*)(void*)(acc + (size_t)p * acc_stride);
        _mm256_storeu_si256(out, sum[p][0]);
        _mm256_storeu_si256(out + 1, sum[p][1]);
    }
}

void sfi_block_dot_avx2(const sfi_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                        size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++)
        for (uint32_t first = 0; first < SFI_BLOCK_PATCHES; first += 4)
            four(b, patches + first, b->words + j * b->panel, acc + first * acc_stride + j * SFI_PANEL, acc_stride);
}

SFI_AVX2_INLINE void finish(const sfi_block* b, const int16_t* const* patches, const int16_t* w, const sfi_lanes* l,
                            const int halves, int8_t* const out[4])
{
    __m256i sum[4][2];
    UNROLL for (int p = 0; p < 4; p++) {
        sum[p][0] = l->bias[0];
        sum[p][1] = l->bias[1];
    }
    dot(b, patches, w, halves, sum);
    sfi_lanes_store(l, sum, out);
}

SFI_AVX2_INLINE void finish_eight(const sfi_block* b, const sfi_eight* eight, const int16_t* w, const sfi_lanes* l,
                                  int8_t* y)
{
    sfi_panel_outputs few;
    const int whole = l->count == SFI_PANEL;
    for (uint32_t first = 0; first < SFI_BLOCK_PATCHES && (first < eight->count || !whole); first += 4) {
        int8_t* out[4];
        for (uint32_t p = 0; p < 4; p++)
            out[p] = whole ? y + eight->at[first + p] : few[first + p];
        if (l->count > SFI_PANEL / 2)
            finish(b, eight->patches + first, w, l, 2, out);
        else
            finish(b, eight->patches + first, w, l, 1, out);
    }
    if (!whole)
        sfi_store_few(few, l->count, y, eight->at);
}

SFI_AVX2 void sfi_grid_dot_avx2(const sfi_block* b, const sfi_grid* grid, const sfi_rows* rows, uint32_t count,
                                int8_t* y)
{
    sfi_lanes lanes[SFI_BLOCK_PANELS];
    sfi_cursor cursor = sfi_grid_start(grid);
    sfi_eight eight;
    for (uint32_t r = 0; r < count; r += SFI_PANEL)
        lanes[r / SFI_PANEL] = sfi_lanes_load(rows, r, count - r);
    while (sfi_grid_next(&cursor, &eight))
        for (uint32_t j = 0; j * SFI_PANEL < count; j++)
            finish_eight(b, &eight, b->words + j * b->panel, lanes + j, y + j * SFI_PANEL);
}

#endif
