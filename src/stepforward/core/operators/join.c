/* Runs of elements that lie together in both inputs of a join, or of which one input has a single one. */
#include "operators/join.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "stepforward.h"

#define REPEATED 64u /* copies of a single element that are joined at a time */

static void join_run(sfi_call* at, const int8_t* a, const int8_t* b, int a_moves, int b_moves, size_t count,
                     sfi_joining join)
{
    int8_t same[REPEATED];
    if (a_moves && b_moves) {
        join(at, a, b, count);
        return;
    }
    sfi_fill(same, *(a_moves ? b : a) & 0xff, REPEATED);
    const size_t size = sfi_element_bytes(at->out);
    for (size_t i = 0; i < count; i += REPEATED, at->y = (uint8_t*)at->y + REPEATED * size)
        join(at, a_moves ? a + i : same, b_moves ? b + i : same, count - i < REPEATED ? count - i : REPEATED);
}

void sfi_join(const sfi_call* call, sfi_joining join)
{
    const sf_tensor *a = call->in, *b = sfi_input(call->pass->program, call->op, 1), *out = call->out;
    const int8_t *x = (const int8_t*)call->inputs[0], *z = (const int8_t*)call->inputs[1];
    if (a->elements == out->elements && b->elements == out->elements) {
        join(call, x, z, (size_t)call->n * (size_t)out->elements);
        return;
    }
    /* The last dimensions, as far as an input has all of each or one of each, are a run. */
    int outer = out->rank;
    size_t count = 1, size_a = 1, size_b = 1;
    for (; outer > 0; outer--) {
        const int d = outer - 1;
        const size_t next = count * (size_t)out->dims[d];
        const size_t next_a = size_a * (size_t)a->dims[d], next_b = size_b * (size_t)b->dims[d];
        if ((next_a != next && next_a != 1) || (next_b != next && next_b != 1) ||
            (next_a == 1 && next_b == 1 && next != 1))
            break;
        count = next, size_a = next_a, size_b = next_b;
    }
    sfi_call at = *call;
    const size_t runs = (size_t)out->elements / count, bytes = count * sfi_element_bytes(out);
    for (uint32_t s = 0; s < call->n; s++, x += a->elements, z += b->elements)
        for (size_t run = 0; run < runs; run++) {
            size_t rest = run, from_a = 0, from_b = 0, step_a = size_a, step_b = size_b;
            for (int d = outer - 1; d >= 0; d--) {
                const size_t place = rest % (size_t)out->dims[d];
                rest /= (size_t)out->dims[d];
                from_a += a->dims[d] > 1 ? place * step_a : 0;
                from_b += b->dims[d] > 1 ? place * step_b : 0;
                step_a *= (size_t)a->dims[d];
                step_b *= (size_t)b->dims[d];
            }
            at.y = (uint8_t*)call->y + ((size_t)s * runs + run) * bytes;
            join_run(&at, x + from_a, z + from_b, size_a == count, size_b == count, count, join);
        }
}

int sfi_joins(const sf_program* p, const sf_op* op)
{
    const sf_tensor *a = sfi_input(p, op, 0), *b = sfi_input(p, op, 1), *out = sfi_output(p, op);
    for (int d = 0; d < SF_MAX_RANK; d++)
        if ((a->dims[d] != out->dims[d] && a->dims[d] != 1) || (b->dims[d] != out->dims[d] && b->dims[d] != 1) ||
            (a->dims[d] == 1 && b->dims[d] == 1 && out->dims[d] != 1))
            return 0;
    return a->rank == out->rank && b->rank == out->rank;
}
