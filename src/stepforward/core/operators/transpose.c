/* Transpose: moves integers without arithmetic, s8 or s16. */
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

static void run(const sfi_call* call)
{
    const sf_tensor *in = call->in, *out = call->out;
    const size_t size = sfi_element_bytes(in);
    size_t strides[4] = {0, 0, 0, 0}, dims[4] = {1, 1, 1, 1}, in_strides[4];
    size_t step = 1;
    for (int32_t d = in->rank - 1; d >= 0; d--) {
        in_strides[d] = step;
        step *= (size_t)in->dims[d];
    }
    for (int32_t d = 0; d < out->rank; d++) {
        dims[4 - out->rank + d] = (size_t)out->dims[d];
        strides[4 - out->rank + d] = in_strides[(call->op->permutation >> (4 * d)) & 15];
    }
    uint8_t* y = (uint8_t*)call->y;
    for (uint32_t s = 0; s < call->n; s++) {
        const uint8_t* x = (const uint8_t*)call->x + (size_t)s * (size_t)in->elements * size;
        for (size_t a = 0; a < dims[0]; a++)
            for (size_t b = 0; b < dims[1]; b++)
                for (size_t c = 0; c < dims[2]; c++)
                    for (size_t d = 0; d < dims[3]; d++, y += size) {
                        const size_t from = a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3];
                        y[0] = x[from * size];
                        if (size == 2)
                            y[1] = x[from * size + 1];
                    }
    }
}

static int fits(const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    uint32_t seen = 0;
    if (in->rank != out->rank || in->dtype != out->dtype)
        return 0;
    for (int32_t d = 0; d < out->rank; d++) {
        const int32_t from = (op->permutation >> (4 * d)) & 15;
        if (from >= in->rank || out->dims[d] != in->dims[from])
            return 0;
        seen |= 1u << from;
    }
    return seen == (1u << in->rank) - 1u;
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = p->tensors + op->inputs[0], *out = p->tensors + op->output;
    return sfi_checked(sfi_is_bare(op, 1) && fits(op, in, out), 1);
}

const sfi_operator sfi_transpose = {check, NULL, run, NULL};
