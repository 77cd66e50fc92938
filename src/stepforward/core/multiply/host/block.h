/* Blocks: eight patches times panels of sixteen rows. A host widens a band of the input once, into words of s16
 * with its padding in place, and multiplies eight output positions at a time with panels of staged weight rows,
 * straight from that band. */
#ifndef SFI_BLOCK_H
#define SFI_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#define SFI_BLOCK_PATCHES 8u      /* output positions multiplied together */
#define SFI_FEW_ROWS 8u           /* rows for which half a panel is enough */
#define SFI_BLOCK_PANELS 3u       /* panels multiplied together at most: 24 accumulators of AVX-512 */
#define SFI_BYTE_PRODUCTS 66311u  /* times 127 * 255 stays inside int32 */
#define SFI_SPLIT_PRODUCTS 33025u /* times 255 * 255 does */
#define SFI_BAND_BYTES \
    32768u /* of a widened band: together with some weights it stays in a first- or second-level cache */

/* Panels of staged rows, and the segments in which they read a patch; segments lie apart in the band. */
typedef struct sfi_block {
    const int16_t* words;  /* first panel: [segment][pair][SFI_PANEL][2] */
    size_t panel;          /* elements from one panel to the next */
    const size_t* offsets; /* of each segment in a patch, in elements */
    size_t segments;
    size_t pairs; /* of each segment */
} sfi_block;

/* 8-bit weights: the band holds bytes, two where the types say s16, and a pair stands for four of them. */

/* A product of eight patches with `panels` <= SFI_BLOCK_PANELS panels of rows: acc[patch * acc_stride + row], in int32.
 * The caller makes sure that the sums fit, by at most SFI_BLOCK products or by rows proven narrow. dot:    the rows of
 * a panel share a patch: a segment holds pairs of s16, each multiplied with all rows. window: every row has its own
 * channel: a segment holds pairs x [SFI_PANEL][2], multiplied with the words one by one; the next panel's channels
 * follow at patch + 2*SFI_PANEL. bytes:  like dot, with four s8 weights and four bytes of the band instead of two
 * s16; at most SFI_BYTE_PRODUCTS products. */
typedef void (*sfi_block_kernel)(const sfi_block* block, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                                 size_t acc_stride);

/* Weights of 16 bits as two planes of bytes, `words` lies in the one of the upper ones: sums of upper bytes go to
 * acc[0], and of lower ones to acc[1], each as from a kernel for bytes. At most SFI_SPLIT_PRODUCTS products. */
typedef void (*sfi_split_kernel)(const sfi_block* block, size_t plane, const int16_t* const* patches, uint32_t panels,
                                 int32_t* acc[2], size_t acc_stride);

#endif
