/* The directions of the contract, section 6, for callers of the API. */
#include "base/pass.h"
#include "multiply/choose.h"
#include "random/draw.h"
#include "stepforward.h"

void sf_directions(uint32_t distribution, uint64_t seed, uint32_t step, uint32_t direction, uint32_t tensor,
                   uint32_t first, uint32_t count, int8_t* z)
{
    const sfi_kernels kernels = sfi_choose();
    const sfi_stream s = sfi_stream_of(&kernels, seed, step, direction, tensor);
    sfi_draw(&s, distribution, first, count, z);
}

void sf_halfwords(uint64_t seed, uint32_t step, uint32_t direction, uint32_t tensor, uint32_t first, uint32_t count,
                  uint16_t* u)
{
    const sfi_kernels kernels = sfi_choose();
    const sfi_stream s = sfi_stream_of(&kernels, seed, step, direction, tensor);
    sfi_draw_halfwords(&s, first, count, u);
}
