/* Winograd's F(2x2, 3x3) in integers: a 3x3 convolution of stride one makes four outputs, a 2x2 tile, from sixteen
 * products per channel instead of thirty-six.
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
 * test are multiplied as they are. */
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

/* Channels of a tile of weight rows whose panels may be transformed, and words of such a panel: sixteen points. */
SFI_INLINE uint32_t sfi_winograd_channels(const sfi_host_tile* tile) { return tile->segment / 3; }
SFI_INLINE size_t sfi_winograd_words(uint32_t channels) { return (size_t)16 * channels * SFI_PANEL; }

/* Eight tiles; what fills up the last eight is the first of them once more. */
struct sfi_tiles {
    const int16_t* patches[SFI_WINOGRAD_TILES]; /* 4x4 positions of the band */
    size_t at[4][SFI_WINOGRAD_TILES];           /* outputs: top left, top right, bottom left, bottom right */
    uint8_t inside[4][SFI_WINOGRAD_TILES];      /* whether the grid has that position */
    int whole;                                  /* it has all of them */
};

/* The rows of a panel, transformed (sfi_winograd_row); those beyond `rows` zero. Returns whether all may be
 * transformed. */
int sfi_winograd_transform(sfi_row_kernel row, const int16_t* line, uint32_t rows, uint32_t channels, int16_t* u,
                           int64_t* sum, int64_t* positive);

/* The words [column][row][pair][SFI_PANEL][2] of a panel. */
void sfi_winograd_pack(const int16_t* u, uint32_t channels, int16_t* words);

/* m[column][row][tile][row of the panel] by any dot kernel. */
void sfi_winograd_points(sfi_block_kernel dot, const int16_t* words, const int16_t* v, uint32_t channels, int32_t* m);

/* sums[output][tile][row] of a panel by any dot kernel. */
void sfi_winograd_sums(sfi_block_kernel dot, const int16_t* words, const int16_t* v, uint32_t channels, int32_t* sums);

#endif
