/* The multiplication of AVX-512 VNNI: 8 patches x 16, 32 or 48 rows, every accumulator in a register until it is
 * stored, or until it has become a byte. */
#ifndef SFI_DOT_AVX512_H
#define SFI_DOT_AVX512_H

#include "base/machine.h"
#include "base/pass.h"
#include "base/targets.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SFI_X86

#define UNROLL _Pragma("GCC unroll 8")

/* Four bytes of a patch: two s16 times pairs of s16, or four u8 times fours of s8. */
SFI_VNNI_INLINE __m512i multiply_add(__m512i sum, __m512i words, __m512i x, const int bytes)
{
    return bytes ? _mm512_dpbusd_epi32(sum, x, words) : _mm512_dpwssd_epi32(sum, words, x);
}

/* sum[panel][patch] += words * patches. */
SFI_VNNI_INLINE void sfi_dot(const sfi_block* b, const int16_t* const* patches, const int panels, const int bytes,
                             __m512i (*sum)[SFI_BLOCK_PATCHES])
{
    const int16_t *w = b->words, *x[SFI_BLOCK_PATCHES];
    const size_t panel = b->panel;
    UNROLL for (int p = 0; p < 8; p++)
        x[p] = patches[p];
    for (size_t s = 0; s < b->segments; s++) {
        size_t at = b->offsets[s];
        const int16_t* end = w + b->pairs * 2 * SFI_PANEL;
        for (; w != end; w += 2 * SFI_PANEL, at += 2) {
            __m512i words[SFI_BLOCK_PANELS];
            UNROLL for (int j = 0; j < panels; j++)
                words[j] = _mm512_loadu_si512(w + (size_t)j * panel);
            UNROLL for (int p = 0; p < 8; p++) {
                int32_t four;
                sfi_copy(&four, x[p] + at, sizeof four);
                const __m512i all = _mm512_set1_epi32(four);
                UNROLL for (int j = 0; j < panels; j++)
                    sum[j][p] = multiply_add(sum[j][p], words[j], all, bytes);
            }
        }
    }
}

/* The sums as they are. */
SFI_VNNI_INLINE void sfi_dot_store(const sfi_block* b, const int16_t* const* patches, const int panels, const int bytes,
                                   int32_t* acc, size_t acc_stride)
{
    __m512i sum[SFI_BLOCK_PANELS][SFI_BLOCK_PATCHES];
    UNROLL for (int p = 0; p < 8; p++) UNROLL
        for (int j = 0; j < panels; j++)
            sum[j][p] = _mm512_setzero_si512();
    sfi_dot(b, patches, panels, bytes, sum);
    UNROLL for (int p = 0; p < 8; p++) UNROLL
        for (int j = 0; j < panels; j++)
            _mm512_storeu_si512(acc + (size_t)p * acc_stride + j * (int)SFI_PANEL, sum[j][p]);
}

/* Outputs at every position of a grid. */
SFI_VNNI_INLINE void sfi_dot_finish(const sfi_block* b, const sfi_grid* grid, const sfi_lanes* lanes, const int panels,
                                    const int bytes, int8_t* y)
{
    sfi_cursor cursor = sfi_grid_start(grid);
    sfi_eight eight;
    sfi_panel_outputs few;
    while (sfi_grid_next(&cursor, &eight)) {
        __m512i sum[SFI_BLOCK_PANELS][SFI_BLOCK_PATCHES];
        UNROLL for (int p = 0; p < 8; p++) UNROLL
            for (int j = 0; j < panels; j++)
                sum[j][p] = lanes[j].bias;
        sfi_dot(b, eight.patches, panels, bytes, sum);
        UNROLL for (int j = 0; j < panels; j++) UNROLL
            for (int p = 0; p < 8; p++)
                SFI_KEEP(sum[j][p]);
        UNROLL for (int j = 0; j < panels; j++) {
            const sfi_lanes l = lanes[j];
            if (l.count == SFI_PANEL && !l.clamps) {
                UNROLL for (int p = 0; p < 8; p++)
                    _mm_storeu_si128((__m128i_u*)(void*)(y + eight.at[p] + j * (int)SFI_PANEL),
                                     sfi_lanes_saturated(&l, sum[j][p]));
                continue;
            }
            UNROLL for (int p = 0; p < 8; p++) {
                int8_t* out = l.count == SFI_PANEL ? y + eight.at[p] + j * (int)SFI_PANEL : few[p];
                _mm_storeu_si128((__m128i_u*)(void*)out, sfi_lanes_bytes(&l, sum[j][p]));
            }
        }
        if (lanes[panels - 1].count < SFI_PANEL)
            sfi_store_few(few, lanes[panels - 1].count, y + (panels - 1) * (int)SFI_PANEL, eight.at);
    }
}

/* The same for any number of panels up to SFI_BLOCK_PANELS, each with a loop of its own. */
SFI_VNNI_INLINE void sfi_dot_store_panels(const sfi_block* b, const int16_t* const* patches, uint32_t panels,
                                          const int bytes, int32_t* acc, size_t acc_stride)
{
    if (panels == 1)
        sfi_dot_store(b, patches, 1, bytes, acc, acc_stride);
    else if (panels == 2)
        sfi_dot_store(b, patches, 2, bytes, acc, acc_stride);
    else
        sfi_dot_store(b, patches, 3, bytes, acc, acc_stride);
}

SFI_VNNI_INLINE void sfi_dot_finish_rows(const sfi_block* b, const sfi_grid* grid, const sfi_rows* rows, uint32_t count,
                                         const int bytes, int8_t* y)
{
    sfi_lanes lanes[SFI_BLOCK_PANELS];
    uint32_t panels = 0;
    for (uint32_t r = 0; r < count; r += SFI_PANEL)
        lanes[panels++] = sfi_lanes_load(rows, r, count - r);
    if (panels == 1)
        sfi_dot_finish(b, grid, lanes, 1, bytes, y);
    else if (panels == 2)
        sfi_dot_finish(b, grid, lanes, 2, bytes, y);
    else
        sfi_dot_finish(b, grid, lanes, 3, bytes, y);
}

#endif
#endif
