/* Winograd's F(2x2, 3x3) and F(4x4, 3x3) in integers: a 3x3 convolution of stride one makes four outputs, a 2x2 tile,
 * from sixteen products per channel instead of thirty-six; and for weights of at most 8 bits sixteen outputs, a large
 * tile, from thirty-six instead of 144.
 *
 * In one dimension, of inputs d and weights g,
 *     v = (2(d0-d2), d1+d2, d2-d1, 2(d3-d1)),  u = (g0, g0+g1+g2, g0-g1+g2, g2),  m = u*v,
 *     2*y0 = m0 + m1 + m2,  2*y1 = m1 - m2 + m3,
 * and in two dimensions the same along rows and then along columns, which gives 4*y. There are no fractions, and
 * nothing is rounded.
 *
 * Why it is exact:
 *   u fits s16, because no |u| is more than the sum of the nine |g| of its channel, and only panels where that is at
 * most 32767 are transformed (sfi_winograd_transform); v fits s16: |d0-d2| <= 255 and |d1+d2| <= 510, so |v| <= 510
 * along rows and <= 4*510 after columns; sums of products and of m are modulo 2^32, and 4*y is back inside s32 because
 * only panels whose |y| are proven to stay below 2^29 are transformed (SFI_WINOGRAD_REACH). Panels that fail either
 * test are multiplied as they are.
 *
 * Large tiles have their points at 0, 1, -1, 2, -2 and infinity:
 *     v = (4d0-5d2+d4, 4d1+4d2-d3-d4, -4d1+4d2+d3-d4, -2d1-d2+2d3+d4, 2d1-d2-2d3+d4, 4d1-5d3+d5),
 *     u = (6g0, 4(g0+g1+g2), 4(g0-g1+g2), g0+2g1+4g2, g0-2g1+4g2, 12g2),  m = u*v,
 *     24*y0 = m0 + m1 + m2 + m3 + m4,   24*y1 = m1 - m2 + 2(m3 - m4),
 *     24*y2 = m1 + m2 + 4(m3 + m4),     24*y3 = m1 - m2 + 8(m3 - m4) + 2m5,
 * and in two dimensions 576*y, again modulo 2^32. Nine is odd, so it has an inverse there, and times that 64*y is left,
 * which is back inside s32 because |y| stays below 2^25.
 *   u fits s16, because the coefficients of a u add up to at most 12*12 = 144 and no weight is more than
 * SFI_LARGE_WEIGHT; v fits s16, because in any v those of one sign add up to at most 2*2 + 8*8 = 68, and the d of a
 * tile lie within [low, high] with low <= 0 <= high = low + 255. That goes for those beyond the grid as well (bands.c):
 * unlike in a small tile, products of all outputs hold them, and only as exact ones they cancel. */
#ifndef SFI_WINOGRAD_H
#define SFI_WINOGRAD_H

#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/kernels.h"

#define SFI_WINOGRAD_TILES SFI_BLOCK_PATCHES /* multiplied together */
#define SFI_WINOGRAD_REACH ((int64_t)1 << 29)
#define SFI_WINOGRAD_CHANNELS 4096u /* at most: 9 * 4096 * 2^15 < 2^31 */

#define SFI_LARGE_TILES 4u /* multiplied together, and then as many again with the same words */
#define SFI_LARGE_POINTS 36u
#define SFI_LARGE_WEIGHT 227u /* times 144 fits s16 */
#define SFI_LARGE_REACH ((int64_t)1 << 25)
#define SFI_LARGE_CHANNELS 512u   /* at most: rows of more seldom stay below that reach */
#define SFI_LARGE_NINTH 954437177 /* times 9 is 1 modulo 2^32 */

/* Outputs along a side of a tile. */
enum { SFI_SMALL = 2, SFI_LARGE = 4 };

/* Channels of a tile of weight rows whose panels may be transformed, and words of such a panel: all points. */
SFI_INLINE uint32_t sfi_winograd_channels(const sfi_host_tile* tile) { return tile->segment / 3; }
SFI_INLINE size_t sfi_winograd_words(uint32_t side, uint32_t channels)
{
    return (size_t)(side + 2) * (side + 2) * channels * SFI_PANEL;
}

/* Tiles that are multiplied together; what fills up the last ones is the first of them once more. */
struct sfi_tiles {
    const int16_t* patches[SFI_WINOGRAD_TILES]; /* 4x4 or 6x6 positions of the band */
    size_t at[SFI_WINOGRAD_TILES];              /* the first outputs */
    size_t on[SFI_LARGE * SFI_LARGE];           /* from there to each, row by row */
    uint16_t inside[SFI_WINOGRAD_TILES];        /* a bit for each: whether the grid has that position */
    uint32_t count;                             /* SFI_LARGE_TILES or SFI_WINOGRAD_TILES */
    int whole;                                  /* the grid has all positions */
};

/* The rows of a panel, transformed (sfi_winograd_row); those beyond `rows` zero. Returns whether all may be
 * transformed. */
int sfi_winograd_transform(uint32_t side, sfi_row_kernel row, const int16_t* line, uint32_t rows, uint32_t channels,
                           int16_t* u, int64_t* sum, int64_t* positive);

/* The words [column][row][pair][SFI_PANEL][2] of a panel. */
void sfi_winograd_pack(uint32_t side, const int16_t* u, uint32_t channels, int16_t* words);

/* m[column][row][tile][row of the panel] by any dot kernel. */
void sfi_winograd_points(sfi_block_kernel dot, const int16_t* words, const int16_t* v, uint32_t channels, int32_t* m);

/* sums[output][tile][row] of a panel by any dot kernel. */
void sfi_winograd_sums(sfi_block_kernel dot, const int16_t* words, const int16_t* v, uint32_t channels, int32_t* sums);

#endif
