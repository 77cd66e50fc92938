/* Patches side by side: what a convolution of few channels has in place of a band of input rows. Where tiles are
 * multiplied, runs of a few bytes would leave them nearly empty; a whole patch fills one. */
#ifndef SFI_GATHERED_H
#define SFI_GATHERED_H

#include "base/machine.h"
#include "multiply/host/bands.h"

/* Input rows under `rows` output rows. */
SFI_INLINE uint32_t sfi_input_rows(const sfi_bands* g, uint32_t rows)
{
    return (rows - 1) * g->stride_h + (g->kernel_h - 1) * g->dilation_h + 1;
}

/* Bytes of a patch. */
SFI_INLINE uint32_t sfi_gathered_length(const sfi_bands* g) { return g->kernel_h * g->kernel_w * g->group_in; }

/* Whether patches save more than their copies cost. rows: of weights. */
int sfi_gathered_suits(const sfi_bands* g, uint32_t rows);

/* From one patch to the next, so that they cross as few cache lines as may be. */
uint32_t sfi_gathered_step(const sfi_bands* g);

/* Working memory beyond the patches of `rows` output rows. */
uint64_t sfi_gathered_bytes(const sfi_bands* g, uint32_t rows);

/* The patches of output rows oy .. oy+rows-1 of a sample. Up to 15 bytes beyond the last one are written. */
void sfi_gathered_put(const sfi_bands* g, const int8_t* x, uint32_t oy, uint32_t rows, uint8_t* patches, uint8_t* work);

#endif
