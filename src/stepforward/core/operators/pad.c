/* Pad: moves integers without arithmetic, s8 or s16. */
#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

static void fill(void* y, const sf_tensor* t, size_t count, int32_t value)
{
    if (t->dtype == SF_S8)
        sfi_fill(y, value & 0xff, count);
    else
        for (size_t i = 0; i < count; i++)
            ((int16_t*)y)[i] = (int16_t)value;
}

/* Rows and columns around an image, and channels before and after each position (the kernel fields count those). */
static void run(const sfi_call* call)
{
    const sf_op* op = call->op;
    const sf_tensor *in = call->in, *out = call->out;
    const size_t size = sfi_element_bytes(in), wide = (size_t)out->dims[2] * size, line = (size_t)out->dims[1] * wide;
    const size_t first = (size_t)op->pad_top * line + (size_t)op->pad_left * wide + (size_t)op->kernel_h * size;
    size_t bytes =
        (size_t)in->dims[2] * size; /* that stay together: a position or, without channels around it, a row */
    int32_t runs = in->dims[1];
    if (op->kernel_h + op->kernel_w == 0) {
        bytes *= (size_t)runs;
        runs = 1;
    }
    const uint8_t* x = (const uint8_t*)call->x;
    uint8_t* y = (uint8_t*)call->y;
    fill(y, out, (size_t)call->n * (size_t)out->elements, op->value);
    for (uint32_t s = 0; s < call->n; s++, y += (size_t)out->elements * size)
        for (int32_t row = 0; row < in->dims[0]; row++)
            for (int32_t i = 0; i < runs; i++, x += bytes)
                sfi_copy(y + first + (size_t)row * line + (size_t)i * wide, x, bytes);
}

static int fits(const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    const int32_t counts[6] = {op->pad_top, op->pad_left, op->pad_bottom, op->pad_right, op->kernel_h, op->kernel_w};
    for (int i = 0; i < 6; i++)
        if (counts[i] < 0)
            return 0;
    return in->rank == 3 && in->dtype == out->dtype && sfi_fits_type(out, op->value) &&
           sfi_has_dims(out, 3, (int64_t)in->dims[0] + op->pad_top + op->pad_bottom,
                        (int64_t)in->dims[1] + op->pad_left + op->pad_right,
                        (int64_t)in->dims[2] + op->kernel_h + op->kernel_w, 1);
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = p->tensors + op->inputs[0], *out = p->tensors + op->output;
    return sfi_checked(sfi_is_bare(op, 1) && fits(op, in, out), 1);
}

const sfi_operator sfi_pad = {check, NULL, run, NULL};
