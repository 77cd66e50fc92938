/* The choice of kernels: made once at the top of a call of the API, and handed down in passes and arguments. */
#ifndef SFI_CHOOSE_H
#define SFI_CHOOSE_H

#include "base/machine.h"
#include "base/pass.h"
#include "random/draw.h"

/* What a machine may have. */
enum { SF_HOST_PLAIN, SF_HOST_AVX2, SF_HOST_VNNI, SF_HOST_AMX, SF_HOST_BEST = SF_HOST_AMX };

#if __STDC_HOSTED__
#include "multiply/host/kernels.h"

/* choose.c: the plain kernels, and the fastest ones of this machine's instruction sets that this build uses. */
sfi_kernels sfi_choose(void);

/* The same up to `level`: what the tests compare. */
sfi_kernels sfi_choose_up_to(int level);

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

SFI_INLINE sfi_kernels sfi_choose(void)
{
    const sfi_kernels none = {0};
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
