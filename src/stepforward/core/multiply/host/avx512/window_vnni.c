/* sfi_block_window with the multiply-add of AVX-512 VNNI: 8 positions x 16 channels, every accumulator in a register
 * until it is stored, or until it has become a byte. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SFI_X86

#define UNROLL _Pragma("GCC unroll 8")

/* One panel, the first `count` patches; `channel`: elements to its first channel in the patches. */
SFI_VNNI_INLINE void window(const sfi_block* b, const int16_t* w, const int16_t* const* patches, const int count,
                            size_t channel, __m512i sum[SFI_BLOCK_PATCHES])
{
    const int16_t* x[SFI_BLOCK_PATCHES];
    UNROLL for (int p = 0; p < count; p++)
        x[p] = patches[p] + channel;
    for (size_t s = 0; s < b->segments; s++, w += 2 * SFI_PANEL) {
        const size_t at = b->offsets[s];
        const __m512i words = _mm512_loadu_si512(w);
        UNROLL for (int p = 0; p < count; p++)
            sum[p] = _mm512_dpwssd_epi32(sum[p], words, _mm512_loadu_si512(x[p] + at));
    }
}

SFI_VNNI void sfi_block_window_vnni(const sfi_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                                    size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++) {
        __m512i sum[SFI_BLOCK_PATCHES];
        UNROLL for (int p = 0; p < 8; p++)
            sum[p] = _mm512_setzero_si512();
        window(b, b->words + j * b->panel, patches, 8, j * 2 * SFI_PANEL, sum);
        UNROLL for (int p = 0; p < 8; p++)
            _mm512_storeu_si512(acc + (size_t)p * acc_stride + j * SFI_PANEL, sum[p]);
    }
}

SFI_VNNI_INLINE void finish(const sfi_block* b, const sfi_lanes* lanes, uint32_t panel, const sfi_eight* eight,
                            const int count, int8_t* y)
{
    const sfi_lanes l = *lanes;
    __m512i sum[SFI_BLOCK_PATCHES];
    sfi_panel_outputs few;
    UNROLL for (int p = 0; p < count; p++)
        sum[p] = l.bias;
    window(b, b->words + panel * b->panel, eight->patches, count, panel * 2 * SFI_PANEL, sum);
    UNROLL for (int p = 0; p < count; p++)
        SFI_KEEP(sum[p]);
    y += panel * SFI_PANEL;
    if (l.count == SFI_PANEL) {
        UNROLL for (int p = 0; p < count; p++)
            _mm_storeu_si128((__m128i_u*)(void*)(y + eight->at[p]), sfi_lanes_bytes(&l, sum[p]));
    } else {
        UNROLL for (int p = 0; p < 8; p++) /* from `count` on, the first position once more */
            _mm_storeu_si128((__m128i_u*)(void*)few[p], sfi_lanes_bytes(&l, sum[p < count ? p : 0]));
        sfi_store_few(few, l.count, y, eight->at);
    }
}

/* Rows from panel `first` to before row `end`, at most MOST_PANELS panels. */
#define MOST_PANELS 16
SFI_VNNI static void some_panels(const sfi_block* b, const sfi_grid* grid, const sfi_rows* rows, uint32_t first,
                                 uint32_t end, int8_t* y)
{
    sfi_lanes lanes[MOST_PANELS];
    sfi_cursor cursor = sfi_grid_start(grid);
    sfi_eight eight;
    for (uint32_t j = first; j * SFI_PANEL < end; j++)
        lanes[j - first] = sfi_lanes_load(rows, j * SFI_PANEL, end - j * SFI_PANEL);
    while (sfi_grid_next(&cursor, &eight))
        for (uint32_t j = first; j * SFI_PANEL < end; j++)
            if (eight.count > 4)
                finish(b, &lanes[j - first], j, &eight, 8, y);
            else
                finish(b, &lanes[j - first], j, &eight, 4, y);
}

void sfi_grid_window_vnni(const sfi_block* b, const sfi_grid* grid, const sfi_rows* rows, uint32_t count, int8_t* y)
{
    for (uint32_t r = 0; r < count; r += MOST_PANELS * SFI_PANEL)
        some_panels(b, grid, rows, r / SFI_PANEL, sfi_min_u32(count, r + MOST_PANELS * SFI_PANEL), y);
}

#endif
