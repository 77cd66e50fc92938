/* Operators that move integers without arithmetic, s8 or s16: pad, transpose, reshape. */
#include "../internal.h"

static size_t size_of(const sf_tensor* t) { return t->dtype == SF_S16 ? 2 : 1; }

static void fill(void* y, const sf_tensor* t, size_t count, int32_t value)
{
    if (t->dtype == SF_S8)
        sf_fill(y, value & 0xff, count);
    else
        for (size_t i = 0; i < count; i++)
            ((int16_t*)y)[i] = (int16_t)value;
}

/* Rows and columns around an image, and channels before and after each position (the kernel fields count those). */
void sf_pad(const sf_call* call)
{
    const sf_op* op = call->op;
    const sf_tensor *in = call->in, *out = call->out;
    const size_t size = size_of(in), wide = (size_t)out->dims[2] * size, line = (size_t)out->dims[1] * wide;
    const size_t first = (size_t)op->pad_top * line + (size_t)op->pad_left * wide + (size_t)op->kernel_h * size;
    size_t bytes = (size_t)in->dims[2] * size; /* that stay together: a position or, without channels around it, a row */
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
                sf_copy(y + first + (size_t)row * line + (size_t)i * wide, x, bytes);
}

void sf_transpose(const sf_call* call)
{
    const sf_tensor *in = call->in, *out = call->out;
    const size_t size = size_of(in);
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

void sf_reshape(const sf_call* call)
{
    sf_move(call->y, call->x, (size_t)call->n * (size_t)call->in->elements * size_of(call->in));
}
