/* Fully connected: reads its input flat, whatever its shape; output s8 or s16. */
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "operators/ways.h"
#include "stepforward.h"

static int fits(const sf_program* p, const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    return sfi_has_dims(p->tensors + op->weight, 2, out->elements, in->elements, 1, 1) &&
           sfi_parameters_fit(p, op, out->elements, in->elements);
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = sfi_input(p, op, 0), *out = sfi_output(p, op);
    return sfi_checked(sfi_has_parameters(op, 0) && fits(p, op, in, out), sfi_reads_words(p, op, in->elements));
}

static uint64_t work(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile,
                     int plain)
{
    if (!sfi_for_device(row_tile))
        return sfi_fully_connected_host_bytes(kernels, program, op, row_tile);
    return sfi_fully_connected_device_bytes(program, op, plain);
}

static void run(const sfi_call* call)
{
    if (sfi_for_device(call->row_tile))
        sfi_fully_connected_device(call);
    else
        sfi_fully_connected_host(call);
}

#if __STDC_HOSTED__
static const sfi_packable packable = {sfi_fully_connected_host_packing, sfi_fully_connected_host_pack};
#define PACKABLE &packable
#else
#define PACKABLE NULL
#endif

const sfi_operator sfi_fully_connected = {check, work, run, PACKABLE, 1};
