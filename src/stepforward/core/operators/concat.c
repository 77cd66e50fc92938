/* Tensors one after the other along an axis, each rescaled. */
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "operators/rescale.h"
#include "stepforward.h"

static void run(const sfi_call* call)
{
    const sf_op* op = call->op;
    const sf_tensor* out = call->out;
    const int32_t axis = sfi_attribute(call->pass->program, op, 0);
    size_t inner = 1, outer = call->n, before = 0;
    for (int32_t d = 0; d < out->rank; d++) {
        if (d < axis)
            outer *= (size_t)out->dims[d];
        else if (d > axis)
            inner *= (size_t)out->dims[d];
    }
    const size_t out_run = (size_t)out->dims[axis] * inner;
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* in = sfi_input(call->pass->program, op, i);
        const int8_t* x = (const int8_t*)call->inputs[i];
        const size_t length = (size_t)in->dims[axis] * inner;
        for (size_t o = 0; o < outer; o++)
            sfi_rescale_elements(x + o * length, length, in->zero_point,
                                 sfi_rescale_pair(call->pass->program, op, (uint32_t)i), call, o * out_run + before);
        before += length;
    }
}

static int fits(const sf_program* p, const sf_op* op, const sf_tensor* out)
{
    const int32_t axis = sfi_attribute(p, op, 0);
    if (op->rescale_count != op->input_count || !sfi_within(axis, 0, out->rank - 1))
        return 0;
    int64_t joined = 0;
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* t = sfi_input(p, op, i);
        if (t->rank != out->rank)
            return 0;
        for (int32_t d = 0; d < out->rank; d++)
            if (d != axis && t->dims[d] != out->dims[d])
                return 0;
        joined += t->dims[axis];
    }
    return joined == out->dims[axis];
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    return sfi_checked(sfi_is_bare(op, op->input_count, 1) && fits(p, op, sfi_output(p, op)), sfi_reads_bytes(p, op));
}

const sfi_operator sfi_concat = {check, NULL, run, NULL, 0};
