/* Depthwise convolution: one input channel per output channel. */
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "operators/ways.h"
#include "stepforward.h"

static int fits(const sf_program* p, const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    const sfi_window* w = sfi_window_of(p, op);
    return sfi_window_fits(w, in, out) && in->dims[2] == out->dims[2] &&
           sfi_has_dims(p->tensors + op->weight, 3, w->kernel_h, w->kernel_w, in->dims[2], 1) &&
           sfi_parameters_fit(p, op, in->dims[2], (int64_t)w->kernel_h * w->kernel_w);
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = sfi_input(p, op, 0), *out = sfi_output(p, op);
    return sfi_checked(sfi_has_parameters(op, SFI_WINDOW_WORDS) && fits(p, op, in, out), sfi_reads_bytes(p, op));
}

static uint64_t work(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile,
                     int plain)
{
    (void)kernels;
    const uint64_t device = sfi_depthwise_device_bytes(program, op, plain);
    if (sfi_for_device(row_tile))
        return device;
    const uint64_t host = sfi_depthwise_host_bytes(program, op, row_tile);
    return host > device ? host : device;
}

/* The way of devices takes what the hosts' does not. */
static void run(const sfi_call* call)
{
    if (sfi_for_device(call->row_tile) || !sfi_depthwise_host(call))
        sfi_depthwise_device(call);
}

#if __STDC_HOSTED__
static const sfi_packable packable = {sfi_depthwise_host_packing, sfi_depthwise_host_pack};
#define PACKABLE &packable
#else
#define PACKABLE NULL
#endif

const sfi_operator sfi_depthwise = {check, work, run, PACKABLE, 1};
