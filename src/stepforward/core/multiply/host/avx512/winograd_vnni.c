/* A panel of eight Winograd tiles with AVX-512 VNNI, from products to bytes. The sums of a column of points stay in
 * registers: those of the first point go into the upper sum and those of the last into the lower one by themselves. */
#include "base/machine.h"
#include "base/rounding.h"
#include "base/targets.h"
#include "base/pass.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/avx512/dot_avx512.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/winograd.h"
#include "multiply/rows.h"

#if SFI_X86

/* Each in a register of its own: without SFI_KEEP, all would begin as copies of one. */
SFI_VNNI_INLINE void begin(__m512i v[8], __m512i with)
{
    UNROLL for (int t = 0; t < 8; t++) {
        v[t] = with;
        SFI_KEEP(v[t]);
    }
}

/* Point p: sum[tile] += words * v. x: v of the first point, tile by tile. */
SFI_VNNI_INLINE void multiply(const int16_t* words, const int16_t* const* x, size_t p, uint32_t channels,
                              __m512i sum[1][8])
{
    const size_t at = p * SFI_WINOGRAD_TILES * channels;
    const sfi_block b = {words + p * SFI_PANEL * channels, 0, &at, 1, channels / 2};
    sfi_dot(&b, x, 1, 0, sum);
    UNROLL for (int t = 0; t < 8; t++)
        SFI_KEEP(sum[0][t]);
}

/* Upper and lower sums of the four columns. */
typedef struct columns {
    __m512i up[4][8], low[4][8];
} columns;

/* four_bias goes into the point that every output has with a plus: the second one of the second column. */
SFI_VNNI_INLINE void multiply_columns(const int16_t* w, const int16_t* v, uint32_t channels, __m512i four_bias,
                                      columns* sums)
{
    const __m512i zero = _mm512_setzero_si512();
    const int16_t* x[8];
    UNROLL for (int t = 0; t < 8; t++)
        x[t] = v + (size_t)t * channels;
    for (size_t j = 0; j < 4; j++) {
        __m512i up[8], low[1][8], sum[1][8];
        begin(sum[0], zero);
        multiply(w, x, 4 * j, channels, sum);
        UNROLL for (int t = 0; t < 8; t++)
            up[t] = sum[0][t];
        begin(sum[0], j == 1 ? four_bias : zero);
        multiply(w, x, 4 * j + 1, channels, sum);
        UNROLL for (int t = 0; t < 8; t++) {
            up[t] = _mm512_add_epi32(up[t], sum[0][t]);
            low[0][t] = sum[0][t];
        }
        begin(sum[0], zero);
        multiply(w, x, 4 * j + 2, channels, sum);
        UNROLL for (int t = 0; t < 8; t++) {
            sums->up[j][t] = _mm512_add_epi32(up[t], sum[0][t]);
            low[0][t] = _mm512_sub_epi32(low[0][t], sum[0][t]);
        }
        multiply(w, x, 4 * j + 3, channels, low);
        UNROLL for (int t = 0; t < 8; t++)
            sums->low[j][t] = low[0][t];
    }
}

/* Rows that take four times their sums: (4*a*mult + 4*half) >> (shift + 2) is what it is without the fours. Other
 * roundings than the contract's take the sums themselves, and four times the bias. */
SFI_VNNI_INLINE sfi_lanes of_fours(sfi_lanes l)
{
    l.bias = _mm512_slli_epi32(l.bias, 2);
    if (l.rounding != SFI_CONTRACT)
        return l;
    l.half = _mm512_slli_epi32(l.half, 2);
    l.shift = _mm512_add_epi32(l.shift, _mm512_set1_epi32(2));
    return l;
}

/* Left and right output of a sum of columns. */
SFI_VNNI_INLINE void finish(const sfi_lanes* l, const __m512i (*column)[8], int tile, const int clamps, __m128i* out)
{
    const __m512i plus = column[1][tile], minus = column[2][tile];
    __m512i left = _mm512_add_epi32(_mm512_add_epi32(column[0][tile], plus), minus);
    __m512i right = _mm512_add_epi32(_mm512_sub_epi32(plus, minus), column[3][tile]);
    if (l->rounding != SFI_CONTRACT) {
        left = _mm512_srai_epi32(left, 2);
        right = _mm512_srai_epi32(right, 2);
    }
    out[0] = clamps ? sfi_lanes_bytes(l, left) : sfi_lanes_saturated(l, left);
    out[1] = clamps ? sfi_lanes_bytes(l, right) : sfi_lanes_saturated(l, right);
}

SFI_VNNI_INLINE void store(__m128i bytes, int8_t* y) { _mm_storeu_si128((__m128i_u*)(void*)y, bytes); }

SFI_VNNI void sfi_winograd_vnni(const int16_t* words, const int16_t* v, uint32_t channels, const sfi_rows* rows,
                                uint32_t count, const sfi_tiles* tiles, int8_t* y)
{
    const sfi_lanes lanes = of_fours(sfi_lanes_load(rows, 0, count));
    columns sums;
    __m128i out[4];
    multiply_columns(words, v, channels, lanes.bias, &sums);
    if (count >= SFI_PANEL && tiles->whole && !lanes.clamps) {
        for (int t = 0; t < 8; t++) {
            finish(&lanes, sums.up, t, 0, out);
            finish(&lanes, sums.low, t, 0, out + 2);
            UNROLL for (int q = 0; q < 4; q++)
                store(out[q], y + tiles->at[t] + tiles->on[q]);
        }
        return;
    }
    for (int t = 0; t < 8; t++) {
        finish(&lanes, sums.up, t, 1, out);
        finish(&lanes, sums.low, t, 1, out + 2);
        for (int q = 0; q < 4; q++)
            if (tiles->inside[t] >> q & 1u) {
                int8_t bytes[SFI_PANEL];
                store(out[q], bytes);
                sfi_copy(y + tiles->at[t] + tiles->on[q], bytes, lanes.count);
            }
    }
}

#endif
