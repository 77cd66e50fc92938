/* Shapes and parameters against each other. */
#include "base/tensors.h"
#include "operators/check.h"
#include "stepforward.h"

int sfi_same_shape(const sf_tensor* a, const sf_tensor* b)
{
    for (int d = 0; d < SF_MAX_RANK; d++)
        if (a->dims[d] != b->dims[d])
            return 0;
    return a->rank == b->rank;
}

int sfi_has_dims(const sf_tensor* t, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    return t->rank == rank && t->dims[0] == a && t->dims[1] == b && t->dims[2] == c && t->dims[3] == d;
}

static int window_axis(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                       int64_t after)
{
    if (!sfi_within(kernel, 1, 65536) || !sfi_within(stride, 1, 65536) || !sfi_within(dilation, 1, 65536) ||
        !sfi_within(before, 0, 65536) || !sfi_within(after, 0, 65536))
        return 0;
    const int64_t room = in + before + after - (dilation * (kernel - 1) + 1);
    return room >= 0 && out == room / stride + 1;
}

int sfi_window_fits(const sfi_window* w, const sf_tensor* in, const sf_tensor* out)
{
    return in->rank == 3 && out->rank == 3 &&
           window_axis(in->dims[0], out->dims[0], w->kernel_h, w->stride_h, w->dilation_h, w->pad_top, w->pad_bottom) &&
           window_axis(in->dims[1], out->dims[1], w->kernel_w, w->stride_w, w->dilation_w, w->pad_left, w->pad_right) &&
           (int64_t)w->kernel_h * w->kernel_w <= SFI_MAX_LENGTH;
}

int sfi_has_parameters(const sf_op* op, int32_t attributes)
{
    return op->input_count == 1 && op->weight >= 0 && op->bias >= 0 && op->attribute_count == attributes;
}

int sfi_parameters_fit(const sf_program* p, const sf_op* op, int64_t rows, int64_t length)
{
    return p->tensors[op->weight].dtype != SF_S32 && sfi_has_dims(p->tensors + op->bias, 1, rows, 1, 1, 1) &&
           p->tensors[op->bias].dtype == SF_S32 && length <= SFI_MAX_LENGTH &&
           (op->rescale_count == 1 || op->rescale_count == rows);
}

int sfi_reads_bytes(const sf_program* p, const sf_op* op)
{
    for (int32_t i = 0; i < op->input_count; i++)
        if (sfi_input(p, op, i)->dtype != SF_S8)
            return 0;
    return 1;
}

int sfi_reads_words(const sf_program* p, const sf_op* op, int64_t length)
{
    const sf_tensor* in = sfi_input(p, op, 0);
    return in->dtype == SF_S16 ? in->zero_point == 0 && length <= SFI_MAX_WORDS : sfi_reads_bytes(p, op);
}
