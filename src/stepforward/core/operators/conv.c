/* Convolution: groups, stride, dilation, four paddings. */
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "operators/ways.h"
#include "stepforward.h"

static int fits(const sf_program* p, const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    const sfi_window* w = sfi_window_of(p, op);
    const int32_t groups = sfi_attribute(p, op, SFI_WINDOW_WORDS);
    if (!sfi_window_fits(w, in, out) || groups < 1 || in->dims[2] % groups != 0 || out->dims[2] % groups != 0)
        return 0;
    const int64_t channels = in->dims[2] / groups;
    return sfi_has_dims(p->tensors + op->weight, 4, out->dims[2], w->kernel_h, w->kernel_w, channels) &&
           sfi_parameters_fit(p, op, out->dims[2], (int64_t)w->kernel_h * w->kernel_w * channels);
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = sfi_input(p, op, 0), *out = sfi_output(p, op);
    if (!sfi_has_parameters(op, SFI_WINDOW_WORDS + 1) || !fits(p, op, in, out))
        return SF_BAD_OPERATOR;
    const sf_tensor* weight = p->tensors + op->weight;
    return sfi_checked(1, sfi_reads_words(p, op, weight->elements / weight->dims[0]));
}

static uint64_t work(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile,
                     int plain)
{
    if (!sfi_for_device(row_tile))
        return sfi_conv_host_bytes(kernels, program, op, row_tile);
    return sfi_conv_device_bytes(program, op, plain);
}

static void run(const sfi_call* call)
{
    if (sfi_for_device(call->row_tile))
        sfi_conv_device(call);
    else
        sfi_conv_host(call);
}

#if __STDC_HOSTED__
static const sfi_packable packable = {sfi_conv_host_packing, sfi_conv_host_pack};
#define PACKABLE &packable
#else
#define PACKABLE NULL
#endif

const sfi_operator sfi_conv = {check, work, run, PACKABLE, 1};
