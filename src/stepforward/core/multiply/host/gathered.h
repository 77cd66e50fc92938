/* Patches side by side: what a convolution of few channels has in place of a band of input rows. Where tiles are
 * multiplied, runs of a few bytes would leave them nearly empty; a whole patch fills one. */
#ifndef SFI_GATHERED_H
#define SFI_GATHERED_H

#include "base/machine.h"
#include "multiply/host/bands.h"

/* Bytes of a patch. */
SFI_INLINE uint32_t sfi_gathered_length(const sfi_bands* g) { return g->kernel_h * g->kernel_w * g->group_in; }

/* Whether patches save more than their copies cost. rows: of weights. */
int sfi_gathered_suits(const sfi_bands* g, uint32_t rows);

/* From one patch to the next, so that they cross as few cache lines as may be. */
uint32_t sfi_gathered_step(const sfi_bands* g);

/* What is read beyond the lines and does not count; as much is written beyond the patches. */
#define SFI_GATHERED_BEYOND 16u

/* The patches of `rows` output rows, from the input's lines with their padding. */
void sfi_gathered_put(const sfi_bands* g, const uint8_t* lines, uint32_t rows, uint8_t* patches);

#endif
