/* Depthwise convolution: one input channel per output channel. */
#include "device.h"
#include "host.h"

uint64_t sf_depthwise_s8_bytes(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile, int plain)
{
    (void)kernels; /* hosts only */
    const uint64_t device = sf_depthwise_device_bytes(program, op, plain);
    if (sf_for_device(row_tile))
        return device;
    const uint64_t host = sf_depthwise_s8_host_bytes(kernels, program, op, row_tile);
    return host > device ? host : device;
}

/* The way of devices takes what the hosts' does not. */
void sf_depthwise_s8(const sf_call* call)
{
    if (sf_for_device(call->row_tile) || !sf_depthwise_s8_host(call))
        sf_depthwise_s8_device(call);
}
