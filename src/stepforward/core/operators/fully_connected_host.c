/* Fully connected on a host: a convolution of one position. */
#include "base/pass.h"
#include "base/tensors.h"
#include "multiply/host/bands.h"
#include "operators/ways.h"
#include "stepforward.h"

static sfi_bands bands_of(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t n)
{
    const sf_tensor* in = sfi_input(program, op, 0);
    sfi_bands g;
    g.zero = in->zero_point;
    sfi_bands_rows_only(&g, n, (uint32_t)in->elements);
    sfi_bands_choose(&g, kernels, in, program->tensors + op->weight, (uint32_t)sfi_output(program, op)->elements, 1);
    return g;
}

uint64_t sfi_fully_connected_host_bytes(const sfi_kernels* kernels, const sf_program* program, const sf_op* op,
                                        uint32_t row_tile)
{
    const sfi_bands g = bands_of(kernels, program, op, 1);
    return sfi_bands_bytes(&g, row_tile, (uint32_t)sfi_output(program, op)->elements);
}

sfi_packing sfi_fully_connected_host_packing(const sfi_kernels* kernels, const sf_program* program, const sf_op* op,
                                             uint32_t row_tile)
{
    const sfi_bands g = bands_of(kernels, program, op, 1);
    return sfi_bands_packing(&g, row_tile, 1, (uint32_t)sfi_output(program, op)->elements);
}

void sfi_fully_connected_host_pack(const sfi_call* call, const sfi_call* twin, uint32_t tile)
{
    const sfi_bands g = bands_of(call->pass->kernels, call->pass->program, call->op, 1);
    sfi_bands_pack(&g, call, twin, 1, (uint32_t)call->out->elements, tile);
}

void sfi_fully_connected_host(const sfi_call* call)
{
    const sfi_bands g = bands_of(call->pass->kernels, call->pass->program, call->op, call->n);
    sfi_bands_run(&g, call, 1, (uint32_t)call->out->elements);
}
