/* The choice of kernels: made once at the top of a call of the API, and handed down in passes and arguments. */
#ifndef SFI_CHOOSE_H
#define SFI_CHOOSE_H

#include "base/machine.h"
#include "base/pass.h"
#include "random/draw.h"

/* What a machine may have, and how much of it this build uses (tests ask for less). */
enum { SF_HOST_PLAIN, SF_HOST_AVX2, SF_HOST_VNNI, SF_HOST_BEST = SF_HOST_VNNI };
#if !defined(SF_HOST_LEVEL)
#define SF_HOST_LEVEL SF_HOST_BEST
#endif

#if __STDC_HOSTED__
#include "multiply/host/kernels.h"

/* choose.c: the plain kernels, and the fastest ones of this machine's instruction sets up to `level`. */
sfi_kernels sfi_choose(int level);

SFI_INLINE sfi_stream sfi_stream_of(const sfi_kernels* kernels, uint64_t seed, uint32_t step, uint32_t direction,
                                    uint32_t tensor)
{
    const sfi_stream s = {seed, step, direction, tensor, &kernels->draw};
    return s;
}
#else
/* A device chooses when it is compiled. */
struct sfi_kernels {
    uint8_t none;
};

SFI_INLINE sfi_kernels sfi_choose(int level)
{
    const sfi_kernels none = {0};
    (void)level;
    return none;
}

SFI_INLINE sfi_stream sfi_stream_of(const sfi_kernels* kernels, uint64_t seed, uint32_t step, uint32_t direction,
                                    uint32_t tensor)
{
    const sfi_stream s = {seed, step, direction, tensor};
    (void)kernels;
    return s;
}
#endif

#endif
