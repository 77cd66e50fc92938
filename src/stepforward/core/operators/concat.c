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
    size_t inner = 1, outer = call->n, before = 0;
    for (int32_t d = 0; d < out->rank; d++) {
        if (d < op->axis)
            outer *= (size_t)out->dims[d];
        else if (d > op->axis)
            inner *= (size_t)out->dims[d];
    }
    const size_t out_run = (size_t)out->dims[op->axis] * inner;
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* in = call->pass->program->tensors + op->inputs[i];
        const int8_t* x = (const int8_t*)call->inputs[i];
        const size_t length = (size_t)in->dims[op->axis] * inner;
        for (size_t o = 0; o < outer; o++)
            sfi_rescale_elements(x + o * length, length, in->zero_point,
                                 sfi_rescale_pair(call->pass->program, op, (uint32_t)i), call, o * out_run + before);
        before += length;
    }
}

static int fits(const sf_program* p, const sf_op* op, const sf_tensor* out)
{
    if (op->rescale_count != op->input_count || !sfi_within(op->axis, 0, out->rank - 1))
        return 0;
    int64_t joined = 0;
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* t = p->tensors + op->inputs[i];
        if (t->rank != out->rank)
            return 0;
        for (int32_t d = 0; d < out->rank; d++)
            if (d != op->axis && t->dims[d] != out->dims[d])
                return 0;
        joined += t->dims[op->axis];
    }
    return joined == out->dims[op->axis];
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    return sfi_checked(sfi_is_bare(op, op->input_count) && fits(p, op, p->tensors + op->output),
                       sfi_reads_bytes(p, op));
}

const sfi_operator sfi_concat = {check, NULL, run, NULL};
