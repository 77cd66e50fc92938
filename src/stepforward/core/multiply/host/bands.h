/* Convolution in bands: a band of input rows is widened once (or copied, for 8-bit weights), with its
 * padding, and every kernel row of every patch is a run of neighbours in it. */
#ifndef SFI_BANDS_H
#define SFI_BANDS_H

#include "base/pass.h"
#include "stepforward.h"

typedef struct sfi_bands {
    uint32_t samples, in_h, in_w, in_c, out_h, out_w;
    uint32_t group_in; /* channels of a patch */
    int32_t pad_top, pad_left;
    uint32_t stride_h, stride_w, dilation_h, dilation_w, kernel_h, kernel_w;
    uint32_t joined;   /* the taps of a kernel row lie side by side */
    uint32_t width;    /* columns of the band */
    uint32_t bytes;    /* 8-bit weights meet a band of bytes, two to a word of it, instead of s16 */
    uint32_t split;    /* of bytes: weights of 16 bits, a byte at a time */
    uint32_t flip;     /* of bytes: the band holds x ^ flip */
    uint32_t winograd; /* outputs along a side of a tile that takes its products together (winograd.h), or 0 */
    uint32_t gathered; /* bytes from one patch to the next where the band holds patches side by side, or 0 */
    uint32_t size;     /* bytes of an input: 1, or 2, whose high and low bytes fill two bands, one after the other */
    int32_t zero;
} sfi_bands;

/* A convolution whose rows are one column: `rows` positions of `length` elements. */
void sfi_bands_rows_only(sfi_bands* bands, uint32_t rows, uint32_t length);

/* The last to be filled in: what the words of the band are, and whether tiles are Winograd's. rows: of one group;
 * positions: of one sample. */
void sfi_bands_choose(sfi_bands* bands, const sfi_kernels* kernels, const sf_tensor* in, const sf_tensor* weight,
                      uint32_t rows, uint32_t positions);

/* Working memory for rows of one group; packed memory; packing one tile; running all of it. out_c: rows of all groups.
 */
uint64_t sfi_bands_bytes(const sfi_bands* bands, uint32_t row_tile, uint32_t rows);
sfi_packing sfi_bands_packing(const sfi_bands* bands, uint32_t row_tile, uint32_t groups, uint32_t out_c);
void sfi_bands_pack(const sfi_bands* bands, const sfi_call* call, const sfi_call* twin, uint32_t groups, uint32_t out_c,
                    uint32_t index);
void sfi_bands_run(const sfi_bands* bands, const sfi_call* call, uint32_t groups, uint32_t out_c);

#endif
