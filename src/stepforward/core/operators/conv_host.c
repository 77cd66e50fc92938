/* Convolution on a host, in bands. */
#include "base/pass.h"
#include "base/tensors.h"
#include "multiply/host/bands.h"
#include "operators/ways.h"
#include "stepforward.h"

static sfi_bands bands_of(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t n)
{
    const sf_tensor *in = sfi_input(program, op, 0), *out = sfi_output(program, op);
    const sfi_window* w = sfi_window_of(program, op);
    const uint32_t groups = sfi_groups(program, op), positions = (uint32_t)out->dims[0] * (uint32_t)out->dims[1];
    sfi_bands g;
    g.zero = in->zero_point;
    if (w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 && groups == 1 &&
        (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) == 0) {
        sfi_bands_rows_only(&g, n * (uint32_t)in->dims[0] * (uint32_t)in->dims[1], (uint32_t)in->dims[2]);
        sfi_bands_choose(&g, kernels, in, program->tensors + op->weight, (uint32_t)out->dims[2], positions);
        return g;
    }
    g.samples = n;
    g.in_h = (uint32_t)in->dims[0];
    g.in_w = (uint32_t)in->dims[1];
    g.in_c = (uint32_t)in->dims[2];
    g.out_h = (uint32_t)out->dims[0];
    g.out_w = (uint32_t)out->dims[1];
    g.group_in = g.in_c / groups;
    g.pad_top = w->pad_top;
    g.pad_left = w->pad_left;
    g.stride_h = (uint32_t)w->stride_h;
    g.stride_w = (uint32_t)w->stride_w;
    g.dilation_h = (uint32_t)w->dilation_h;
    g.dilation_w = (uint32_t)w->dilation_w;
    g.kernel_h = (uint32_t)w->kernel_h;
    g.kernel_w = (uint32_t)w->kernel_w;
    g.joined = g.dilation_w == 1;
    g.width = (g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
    sfi_bands_choose(&g, kernels, in, program->tensors + op->weight, (uint32_t)out->dims[2] / groups, positions);
    return g;
}

uint64_t sfi_conv_host_bytes(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const sf_tensor* out = sfi_output(program, op);
    const sfi_bands g = bands_of(kernels, program, op, 1);
    return sfi_bands_bytes(&g, row_tile, (uint32_t)out->dims[2] / sfi_groups(program, op));
}

sfi_packing sfi_conv_host_packing(const sfi_kernels* kernels, const sf_program* program, const sf_op* op,
                                  uint32_t row_tile)
{
    const sf_tensor* out = sfi_output(program, op);
    const sfi_bands g = bands_of(kernels, program, op, 1);
    return sfi_bands_packing(&g, row_tile, sfi_groups(program, op), (uint32_t)out->dims[2]);
}

void sfi_conv_host_pack(const sfi_call* call, const sfi_call* twin, uint32_t tile)
{
    const sfi_bands g = bands_of(call->pass->kernels, call->pass->program, call->op, 1);
    sfi_bands_pack(&g, call, twin, sfi_groups(call->pass->program, call->op), (uint32_t)call->out->dims[2], tile);
}

void sfi_conv_host(const sfi_call* call)
{
    const sfi_bands g = bands_of(call->pass->kernels, call->pass->program, call->op, call->n);
    sfi_bands_run(&g, call, sfi_groups(call->pass->program, call->op), (uint32_t)call->out->dims[2]);
}
