/* Convolution: groups, stride, dilation, four paddings. */
#include "device.h"
#include "host.h"

uint64_t sf_conv_s8_bytes(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile, int plain)
{
    (void)kernels; /* hosts only */
    if (!sf_for_device(row_tile))
        return sf_conv_s8_host_bytes(kernels, program, op, row_tile);
    return sf_conv_device_bytes(program, op, plain);
}

void sf_conv_s8(const sf_call* call)
{
    if (sf_for_device(call->row_tile))
        sf_conv_s8_device(call);
    else
        sf_conv_s8_host(call);
}
