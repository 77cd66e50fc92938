/* Product of the matrices of two tensors: (.., M, K) by (.., K, N), or by (.., N, K) transposed. The first may be s16
 * with zero point 0, the second is s8. */
#include "operators/matmul.h"
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

static void put(const sfi_call* call, int64_t acc, size_t at)
{
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, 0);
    sfi_store(call->y, call->out->dtype, at,
              sfi_requantize(acc, pair[0], pair[1], call->out->zero_point, call->op->lo, call->op->hi));
}

/* One product of two matrices, on a device. */
static void multiply(const sfi_call* call, const sfi_matrices* s, size_t place, int32_t zero_b)
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

static void run(const sfi_call* call)
{
    const sfi_matrices s = sfi_matrices_of(call->pass->program, call->op);
    const int32_t zero_b = sfi_input(call->pass->program, call->op, 1)->zero_point;
    const size_t places = call->n * s.places;
#if __STDC_HOSTED__
    if (!sfi_for_device(call->row_tile)) {
        sfi_matmul_host(call, &s, places, zero_b);
        return;
    }
#endif
    for (size_t place = 0; place < places; place++)
        multiply(call, &s, place, zero_b);
}

static uint64_t work(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile,
                     int plain)
{
    (void)kernels;
    (void)plain;
#if __STDC_HOSTED__
    const sfi_matrices s = sfi_matrices_of(program, op);
    return sfi_for_device(row_tile) ? 0 : sfi_matmul_host_bytes(&s);
#else
    (void)program;
    (void)op;
    (void)row_tile;
    return 0;
#endif
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
