/* Transpose: moves integers without arithmetic, s8 or s16. The attributes are the input's dimension that becomes each
 * of the output's. */
#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

#define MOST_DIMENSIONS 4

/* `count` elements, `stride` apart, side by side. */
static void move_line(const uint8_t* x, size_t stride, size_t count, size_t size, uint8_t* y)
{
    if (stride == 1)
        sfi_copy(y, x, count * size);
    else if (size == 1)
        for (size_t i = 0; i < count; i++)
            y[i] = x[i * stride];
    else
        for (size_t i = 0; i < count; i++)
            sfi_copy(y + 2 * i, x + 2 * i * stride, 2);
}

static void run(const sfi_call* call)
{
    const sf_tensor *in = call->in, *out = call->out;
    const size_t size = sfi_element_bytes(in);
    size_t strides[MOST_DIMENSIONS] = {0, 0, 0, 0}, dims[MOST_DIMENSIONS] = {1, 1, 1, 1}, in_strides[MOST_DIMENSIONS];
    size_t step = 1;
    for (int32_t d = in->rank - 1; d >= 0; d--) {
        in_strides[d] = step;
        step *= (size_t)in->dims[d];
    }
    for (int32_t d = 0; d < out->rank; d++) {
        dims[MOST_DIMENSIONS - out->rank + d] = (size_t)out->dims[d];
        strides[MOST_DIMENSIONS - out->rank + d] = in_strides[sfi_attribute(call->pass->program, call->op, d)];
    }
    uint8_t* y = (uint8_t*)call->y;
    for (uint32_t s = 0; s < call->n; s++) {
        const uint8_t* x = (const uint8_t*)call->x + (size_t)s * (size_t)in->elements * size;
        for (size_t a = 0; a < dims[0]; a++)
            for (size_t b = 0; b < dims[1]; b++)
                for (size_t c = 0; c < dims[2]; c++, y += dims[3] * size)
                    move_line(x + (a * strides[0] + b * strides[1] + c * strides[2]) * size, strides[3], dims[3], size,
                              y);
    }
}

static int fits(const sf_program* p, const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    uint32_t seen = 0;
    if (in->rank != out->rank || in->dtype != out->dtype)
        return 0;
    for (int32_t d = 0; d < out->rank; d++) {
        const int32_t from = sfi_attribute(p, op, d);
        if (!sfi_within(from, 0, in->rank - 1) || out->dims[d] != in->dims[from])
            return 0;
        seen |= 1u << from;
    }
    return seen == (1u << in->rank) - 1u;
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = sfi_input(p, op, 0), *out = sfi_output(p, op);
    return sfi_checked(sfi_is_bare(op, 1, out->rank) && fits(p, op, in, out), out->rank <= MOST_DIMENSIONS);
}

const sfi_operator sfi_transpose = {check, NULL, run, NULL, 0};
