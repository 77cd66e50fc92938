/* Patches side by side. */
#include "multiply/host/gathered.h"
#include "base/integers.h"
#include "base/machine.h"
#include "multiply/host/bands.h"
#include "multiply/host/block.h"
#include "stepforward_host.h"

#define PIECE SFI_GATHERED_BEYOND /* bytes that are copied together */

/* Of a position, and positions of a row: with less, copies were found to cost more than they save. */
#define LEAST_PRODUCTS 800u
#define LEAST_WIDTH 4u

static uint32_t run_length(const sfi_bands* g) { return g->kernel_w * g->group_in; }

/* Bands of an even number of channels are multiplied without a copy, which is faster. */
int sfi_gathered_suits(const sfi_bands* g, uint32_t rows)
{
    const uint64_t length = sfi_gathered_length(g);
    return g->size == 1 && g->group_in % 2 == 1 && g->group_in == g->in_c && g->joined && g->kernel_h > 1 &&
           g->out_w >= LEAST_WIDTH && length * rows >= LEAST_PRODUCTS && length <= SFI_BYTE_PRODUCTS;
}

uint32_t sfi_gathered_step(const sfi_bands* g)
{
    const uint32_t length = sfi_gathered_length(g), line = length <= 32 ? 32 : 64;
    return (length + line - 1) / line * line;
}

/* Whole pieces: what is too much is overwritten by what follows. */
SFI_INLINE void put_patch(const uint8_t* from, size_t down, uint32_t runs, uint32_t run, uint8_t* to)
{
    for (uint32_t r = 0; r < runs; r++, from += down, to += run)
        for (uint32_t i = 0; i < run; i += PIECE)
            sfi_copy(to + i, from + i, PIECE);
}

SFI_CLONES
void sfi_gathered_put(const sfi_bands* g, const uint8_t* lines, uint32_t rows, uint8_t* patches)
{
    const size_t line = (size_t)g->width * g->group_in, across = (size_t)g->stride_w * g->group_in;
    for (uint32_t y = 0; y < rows; y++, lines += g->stride_h * line) {
        const uint8_t* from = lines;
        for (uint32_t i = 0; i < g->out_w; i++, from += across, patches += g->gathered)
            put_patch(from, g->dilation_h * line, g->kernel_h, run_length(g), patches);
    }
}
