/* Convolution on a host, in bands. */
#include "base/pass.h"
#include "multiply/host/bands.h"
#include "operators/ways.h"
#include "stepforward.h"

static sfi_bands bands_of(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t n)
{
    const sf_tensor *in = program->tensors + op->inputs[0], *out = program->tensors + op->output;
    sfi_bands g;
    g.zero = in->zero_point;
    if (op->kernel_h == 1 && op->kernel_w == 1 && op->stride_h == 1 && op->stride_w == 1 && op->groups == 1 &&
        (op->pad_top | op->pad_left | op->pad_bottom | op->pad_right) == 0) {
        sfi_bands_rows_only(&g, n * (uint32_t)in->dims[0] * (uint32_t)in->dims[1], (uint32_t)in->dims[2]);
        sfi_bands_choose(&g, kernels, program->tensors + op->weight, (uint32_t)out->dims[2]);
        return g;
    }
    g.samples = n;
    g.in_h = (uint32_t)in->dims[0];
    g.in_w = (uint32_t)in->dims[1];
    g.in_c = (uint32_t)in->dims[2];
    g.out_h = (uint32_t)out->dims[0];
    g.out_w = (uint32_t)out->dims[1];
    g.group_in = g.in_c / (uint32_t)op->groups;
    g.pad_top = op->pad_top;
    g.pad_left = op->pad_left;
    g.stride_h = (uint32_t)op->stride_h;
    g.stride_w = (uint32_t)op->stride_w;
    g.dilation_h = (uint32_t)op->dilation_h;
    g.dilation_w = (uint32_t)op->dilation_w;
    g.kernel_h = (uint32_t)op->kernel_h;
    g.kernel_w = (uint32_t)op->kernel_w;
    g.joined = g.dilation_w == 1;
    g.width = (g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
    sfi_bands_choose(&g, kernels, program->tensors + op->weight, (uint32_t)(out->dims[2] / op->groups));
    return g;
}

uint64_t sfi_conv_host_bytes(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const sf_tensor* out = program->tensors + op->output;
    const sfi_bands g = bands_of(kernels, program, op, 1);
    return sfi_bands_bytes(&g, row_tile, (uint32_t)(out->dims[2] / op->groups));
}

sfi_packing sfi_conv_host_packing(const sfi_kernels* kernels, const sf_program* program, const sf_op* op,
                                  uint32_t row_tile)
{
    const sf_tensor* out = program->tensors + op->output;
    const sfi_bands g = bands_of(kernels, program, op, 1);
    return sfi_bands_packing(&g, row_tile, (uint32_t)op->groups, (uint32_t)out->dims[2]);
}

void sfi_conv_host_pack(const sfi_call* call, const sfi_call* twin, uint32_t tile)
{
    const sfi_bands g = bands_of(call->pass->kernels, call->pass->program, call->op, 1);
    sfi_bands_pack(&g, call, twin, (uint32_t)call->op->groups, (uint32_t)call->out->dims[2], tile);
}

void sfi_conv_host(const sfi_call* call)
{
    const sfi_bands g = bands_of(call->pass->kernels, call->pass->program, call->op, call->n);
    sfi_bands_run(&g, call, (uint32_t)call->op->groups, (uint32_t)call->out->dims[2]);
}
