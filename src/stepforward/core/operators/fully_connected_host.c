/* Fully connected on a host: a convolution of one position. */
#include "base/pass.h"
#include "multiply/host/bands.h"
#include "operators/ways.h"
#include "stepforward.h"

static sf_bands bands_of(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t n)
{
    const sf_tensor* in = program->tensors + op->inputs[0];
    sf_bands g;
    g.zero = in->zero_point;
    sf_bands_rows_only(&g, n, (uint32_t)in->elements);
    sf_bands_choose(&g, kernels, program->tensors + op->weight, (uint32_t)program->tensors[op->output].elements);
    return g;
}

uint64_t sf_fully_connected_host_bytes(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const sf_bands g = bands_of(kernels, program, op, 1);
    return sf_bands_bytes(&g, row_tile, (uint32_t)program->tensors[op->output].elements);
}

sf_packing sf_fully_connected_host_packing(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const sf_bands g = bands_of(kernels, program, op, 1);
    return sf_bands_packing(&g, row_tile, 1, (uint32_t)program->tensors[op->output].elements);
}

void sf_fully_connected_host_pack(const sf_call* call, const sf_call* twin, uint32_t tile)
{
    const sf_bands g = bands_of(call->pass->kernels, call->pass->program, call->op, 1);
    sf_bands_pack(&g, call, twin, 1, (uint32_t)call->out->elements, tile);
}

void sf_fully_connected_host(const sf_call* call)
{
    const sf_bands g = bands_of(call->pass->kernels, call->pass->program, call->op, call->n);
    sf_bands_run(&g, call, 1, (uint32_t)call->out->elements);
}
