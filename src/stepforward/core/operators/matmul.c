/* Product of the matrices of two tensors: (.., M, K) by (.., K, N), or by (.., N, K) transposed. The first may be s16
 * with zero point 0, the second is s8. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

/* |a*b| <= 32768 * 255, as for a weight and an input: SFI_BLOCK of them fit into int32. */
#if __STDC_HOSTED__
/* The outputs of one row of the first matrix; at: of the first. */
SFI_CLONES
static void line(const sfi_call* call, const int16_t* a, const int16_t* rows, size_t length, size_t width, size_t at)
{
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, 0);
    const int32_t mult = pair[0], shift = pair[1], zero = call->out->zero_point, lo = call->op->lo, hi = call->op->hi;
    for (size_t j = 0; j < width; j++, rows += length) {
        int64_t sum = 0;
        for (size_t first = 0; first < length; first += SFI_BLOCK) {
            const size_t end = first + SFI_BLOCK < length ? first + SFI_BLOCK : length;
            int32_t part = 0;
            for (size_t k = first; k < end; k++)
                part += a[k] * rows[k];
            sum += part;
        }
        sfi_store(call->y, call->out->dtype, at + j, sfi_requantize(sum, mult, shift, zero, lo, hi));
    }
}

/* The second matrix as rows of K words. */
static void columns(const int8_t* b, size_t rows, size_t length, int32_t zero, int transposed, int16_t* out)
{
    if (transposed) {
        sfi_widen(b, (int32_t)(rows * length), zero, out);
        return;
    }
    for (size_t k = 0; k < length; k++)
        for (size_t j = 0; j < rows; j++)
            out[j * length + k] = (int16_t)(b[k * rows + j] - zero);
}
#endif

typedef struct shape {
    size_t places, height, length, width;
    int transposed;
} shape;

static shape shape_of(const sf_program* p, const sf_op* op)
{
    const sf_tensor *a = sfi_input(p, op, 0), *out = sfi_output(p, op);
    shape s = {1, (size_t)a->dims[a->rank - 2], (size_t)a->dims[a->rank - 1], (size_t)out->dims[out->rank - 1],
               sfi_attribute(p, op, 0)};
    s.places = (size_t)a->elements / (s.height * s.length);
    return s;
}

static void put(const sfi_call* call, int64_t acc, size_t at)
{
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, 0);
    sfi_store(call->y, call->out->dtype, at,
              sfi_requantize(acc, pair[0], pair[1], call->out->zero_point, call->op->lo, call->op->hi));
}

/* One product of two matrices, on a device. */
static void multiply(const sfi_call* call, const shape* s, size_t place, int32_t zero_b)
{
    const int8_t* b = (const int8_t*)call->inputs[1] + place * s->length * s->width;
    const size_t step = s->transposed ? 1 : s->width, next = s->transposed ? s->length : 1;
    for (size_t i = 0; i < s->height; i++)
        for (size_t j = 0; j < s->width; j++) {
            int64_t sum = 0;
            for (size_t k = 0; k < s->length; k++)
                sum += (sfi_load(call->x, call->in->dtype, (place * s->height + i) * s->length + k) -
                        call->in->zero_point) *
                       (b[j * next + k * step] - zero_b);
            put(call, sum, (place * s->height + i) * s->width + j);
        }
}

#if __STDC_HOSTED__
static void multiply_host(const sfi_call* call, const shape* s, size_t place, int32_t zero_b)
{
    int16_t *words = (int16_t*)call->work, *rows = words + s->length;
    columns((const int8_t*)call->inputs[1] + place * s->length * s->width, s->width, s->length, zero_b, s->transposed,
            rows);
    for (size_t i = 0; i < s->height; i++) {
        const size_t at = (place * s->height + i) * s->length;
        const int16_t* a = (const int16_t*)call->x + at;
        if (call->in->dtype == SF_S8) {
            sfi_widen((const int8_t*)call->x + at, (int32_t)s->length, call->in->zero_point, words);
            a = words;
        }
        line(call, a, rows, s->length, s->width, (place * s->height + i) * s->width);
    }
}
#else
#define multiply_host multiply
#endif

static void run(const sfi_call* call)
{
    const shape s = shape_of(call->pass->program, call->op);
    const int32_t zero_b = sfi_input(call->pass->program, call->op, 1)->zero_point;
    for (size_t place = 0; place < call->n * s.places; place++)
        if (sfi_for_device(call->row_tile))
            multiply(call, &s, place, zero_b);
        else
            multiply_host(call, &s, place, zero_b);
}

static uint64_t work(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile,
                     int plain)
{
    (void)kernels;
    (void)plain;
    const shape s = shape_of(program, op);
    return sfi_for_device(row_tile) ? 0 : (s.length + s.length * s.width) * sizeof(int16_t);
}

static int fits(const sf_program* p, const sf_op* op)
{
    const sf_tensor *a = sfi_input(p, op, 0), *b = sfi_input(p, op, 1), *out = sfi_output(p, op);
    const int32_t rank = a->rank, transposed = sfi_attribute(p, op, 0);
    if (rank < 2 || b->rank != rank || out->rank != rank || !sfi_within(transposed, 0, 1) || op->rescale_count != 1)
        return 0;
    for (int32_t d = 0; d < rank - 2; d++)
        if (a->dims[d] != b->dims[d] || a->dims[d] != out->dims[d])
            return 0;
    return out->dims[rank - 2] == a->dims[rank - 2] && b->dims[rank - 1 - transposed] == out->dims[rank - 1] &&
           b->dims[rank - 2 + transposed] == a->dims[rank - 1];
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor *a = sfi_input(p, op, 0), *b = sfi_input(p, op, 1);
    return sfi_checked(sfi_is_bare(op, 2, 1) && fits(p, op), (a->dtype == SF_S8 || a->zero_point == 0) &&
                                                                 b->dtype == SF_S8 &&
                                                                 a->dims[a->rank - 1] <= SFI_MAX_LENGTH);
}

const sfi_operator sfi_matmul = {check, work, run, NULL, 0};
