/* Convolution of at most eight rows with AVX-512 VNNI: sixteen lanes hold two pairs of every row, so that first layers
 * with few outputs do not leave half of the lanes empty. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SFI_X86

#define UNROLL _Pragma("GCC unroll 8")

/* Words: [segment][four][SFI_FEW_ROWS][4]. Lane 2*r and lane 2*r+1 of a sum belong to row r. */
SFI_VNNI_INLINE void dot(const sfi_block* b, const int16_t* const* patches, __m512i sum[SFI_BLOCK_PATCHES])
{
    const int16_t *w = b->words, *x[SFI_BLOCK_PATCHES];
    UNROLL for (int p = 0; p < 8; p++)
        x[p] = patches[p];
    for (size_t s = 0; s < b->segments; s++) {
        size_t at = b->offsets[s];
        const int16_t* end = w + (b->pairs + 1) / 2 * 4 * SFI_FEW_ROWS;
        for (; w != end; w += 4 * SFI_FEW_ROWS, at += 4) {
            const __m512i words = _mm512_loadu_si512(w);
            UNROLL for (int p = 0; p < 8; p++) {
                int64_t four;
                sfi_copy(&four, x[p] + at, sizeof four);
                sum[p] = _mm512_dpwssd_epi32(sum[p], words, _mm512_set1_epi64(four));
            }
        }
    }
}

/* Rows of two patches, a row of both side by side: its sums of even and of odd lanes. */
SFI_VNNI_INLINE __m512i joined(__m512i a, __m512i b)
{
    return _mm512_add_epi32(_mm512_mask_shuffle_epi32(a, 0xaaaa, b, _MM_PERM_CCAA),
                            _mm512_mask_shuffle_epi32(b, 0x5555, a, _MM_PERM_DDBB));
}

/* Eight rows of sixteen, each twice. */
SFI_VNNI_INLINE __m512i twice(__m512i v)
{
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7), v);
}

/* The rows of eight positions as pairs of bytes: in each 128 bits rows 2i and 2i+1 of all eight. Saturation to s16 and
 * s8 before the clamp changes nothing, for lo and hi are bytes. */
SFI_VNNI_INLINE __m512i outputs(const sfi_lanes* l, const __m512i sum[SFI_BLOCK_PATCHES])
{
    const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
    const __m512i lo = _mm512_broadcast_i32x4(l->lo), hi = _mm512_broadcast_i32x4(l->hi);
    __m512i a[4];
    UNROLL for (int p = 0; p < 4; p++)
        a[p] = sfi_lanes_rescaled(l, joined(sum[2 * p], sum[2 * p + 1]));
    const __m512i v = _mm512_packs_epi16(_mm512_packs_epi32(a[0], a[1]), _mm512_packs_epi32(a[2], a[3]));
    return _mm512_shuffle_epi8(_mm512_min_epi8(_mm512_max_epi8(v, lo), hi), order);
}

/* Where the pairs of the first `pairs` are, position by position. */
SFI_VNNI static __m512i order_of(uint32_t pairs)
{
    int16_t from[32] = {0};
    for (uint32_t i = 0; i < 8 * pairs; i++)
        from[i] = (int16_t)(i % pairs * 8 + i / pairs);
    return _mm512_loadu_si512(from);
}

/* The first `count` rows, an even number, of eight positions that lie side by side. */
SFI_VNNI_INLINE void store_dense(__m512i v, uint32_t count, int8_t* y)
{
    if (count == 8)
        _mm512_storeu_si512(y, v);
    else if (count == 2)
        _mm_storeu_si128((__m128i_u*)(void*)y, _mm512_castsi512_si128(v));
    else
        _mm256_storeu_si256((__m256i_u*)(void*)y, _mm512_castsi512_si256(v));
    if (count == 6)
        _mm_storeu_si128((__m128i_u*)(void*)(y + 32), _mm512_extracti32x4_epi32(v, 2));
}

static void store_apart(const int8_t* from, uint32_t count, int8_t* y, const size_t* at)
{
    sfi_panel_outputs few;
    for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++)
        sfi_copy(count == SFI_FEW_ROWS ? y + at[p] : few[p], from + p * SFI_FEW_ROWS, SFI_FEW_ROWS);
    if (count < SFI_FEW_ROWS)
        sfi_store_few(few, count, y, at);
}

SFI_VNNI void sfi_grid_few_vnni(const sfi_block* b, const sfi_grid* grid, const sfi_rows* rows, uint32_t count,
                                int8_t* y)
{
    const sfi_lanes once = sfi_lanes_load(rows, 0, count);
    const __m512i high = twice(once.high),
                  bias = _mm512_maskz_mov_epi32(0x5555, twice(once.bias)); /* in one of a row's two lanes */
    sfi_lanes l = once;
    l.bias = bias;
    l.low = twice(once.low);
    l.high = high;
    l.half = twice(once.half);
    l.shift = twice(once.shift);
    l.sign = twice(once.sign);
    l.product = ~_mm512_movepi16_mask(high);
    l.count = count;
    const __m512i side_by_side = order_of(count / 2), apart = order_of(SFI_FEW_ROWS / 2);
    sfi_cursor cursor = sfi_grid_start(grid);
    sfi_eight eight;
    while (sfi_grid_next(&cursor, &eight)) {
        __m512i sum[SFI_BLOCK_PATCHES];
        int8_t all[SFI_BLOCK_PATCHES * SFI_FEW_ROWS];
        UNROLL for (int p = 0; p < 8; p++)
            sum[p] = l.bias;
        dot(b, eight.patches, sum);
        UNROLL for (int p = 0; p < 8; p++)
            SFI_KEEP(sum[p]);
        const __m512i v = outputs(&l, sum);
        if (count % 2 == 0 && eight.count == 8 && eight.at[7] - eight.at[0] == 7 * (size_t)count) {
            store_dense(_mm512_permutexvar_epi16(side_by_side, v), count, y + eight.at[0]);
        } else {
            _mm512_storeu_si512(all, _mm512_permutexvar_epi16(apart, v));
            store_apart(all, count, y, eight.at);
        }
    }
}

#endif
