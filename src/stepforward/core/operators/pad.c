/* Pad: moves integers without arithmetic, s8 or s16. */
#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

/* The attributes, as they lie in the file. */
typedef struct border {
    int32_t pad_top, pad_left, pad_bottom, pad_right;
    int32_t before, after; /* channels */
    int32_t value;
} border;

#define PIECE 16u /* bytes that are copied at once where all are */

static const border* border_of(const sf_program* program, const sf_op* op)
{
    return (const border*)(const void*)(program->constants + op->attributes_first);
}

static void fill(void* y, const sf_tensor* t, size_t count, int32_t value)
{
    if (t->dtype == SF_S8)
        sfi_fill(y, value & 0xff, count);
    else
        for (size_t i = 0; i < count; i++)
            ((int16_t*)y)[i] = (int16_t)value;
}

/* `count` runs of so many bytes, one after the other, to places `wide` apart. */
static void spread(uint8_t* y, size_t wide, const uint8_t* x, size_t bytes, int32_t count)
{
    if (bytes % PIECE == 0)
        for (int32_t i = 0; i < count; i++, y += wide)
            for (size_t at = 0; at < bytes; at += PIECE, x += PIECE)
                sfi_copy(y + at, x, PIECE);
    else
        for (int32_t i = 0; i < count; i++, y += wide, x += bytes)
            sfi_copy(y, x, bytes);
}

/* Rows and columns around an image, and channels before and after each position. */
static void run(const sfi_call* call)
{
    const border* b = border_of(call->pass->program, call->op);
    const sf_tensor *in = call->in, *out = call->out;
    const size_t size = sfi_element_bytes(in), wide = (size_t)out->dims[2] * size, line = (size_t)out->dims[1] * wide;
    const size_t first = (size_t)b->pad_top * line + (size_t)b->pad_left * wide + (size_t)b->before * size;
    size_t bytes =
        (size_t)in->dims[2] * size; /* that stay together: a position or, without channels around it, a row */
    int32_t runs = in->dims[1];
    if (b->before + b->after == 0) {
        bytes *= (size_t)runs;
        runs = 1;
    }
    const uint8_t* x = (const uint8_t*)call->x;
    uint8_t* y = (uint8_t*)call->y;
    fill(y, out, (size_t)call->n * (size_t)out->elements, b->value);
    for (uint32_t s = 0; s < call->n; s++, y += (size_t)out->elements * size)
        for (int32_t row = 0; row < in->dims[0]; row++, x += (size_t)runs * bytes)
            spread(y + first + (size_t)row * line, wide, x, bytes, runs);
}

static int fits(const border* b, const sf_tensor* in, const sf_tensor* out)
{
    const int32_t counts[6] = {b->pad_top, b->pad_left, b->pad_bottom, b->pad_right, b->before, b->after};
    for (int i = 0; i < 6; i++)
        if (counts[i] < 0)
            return 0;
    return in->rank == 3 && in->dtype == out->dtype && sfi_fits_type(out, b->value) &&
           sfi_has_dims(out, 3, (int64_t)in->dims[0] + b->pad_top + b->pad_bottom,
                        (int64_t)in->dims[1] + b->pad_left + b->pad_right, (int64_t)in->dims[2] + b->before + b->after,
                        1);
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = sfi_input(p, op, 0), *out = sfi_output(p, op);
    return sfi_checked(sfi_is_bare(op, 1, sizeof(border) / sizeof(int32_t)) && fits(border_of(p, op), in, out), 1);
}

const sfi_operator sfi_pad = {check, NULL, run, NULL, 0};
