/* A function of one value: the entry of a table for each input, s8 or s16. */
#include "base/pass.h"
#include "base/tensors.h"
#include "multiply/choose.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

static void run(const sfi_call* call)
{
    const int32_t* table = call->pass->program->constants + call->op->tables;
    const int8_t* x = (const int8_t*)call->x;
    const size_t count = (size_t)call->n * (size_t)call->in->elements;
    if (call->out->dtype == SF_S8) {
        int8_t* y = (int8_t*)call->y;
#if __STDC_HOSTED__
        call->pass->kernels->look_up((const int8_t*)table, x, count, y);
#else
        const int8_t* entries = (const int8_t*)table + 128;
        for (size_t i = 0; i < count; i++)
            y[i] = entries[x[i]];
#endif
    } else {
        const int16_t* entries = (const int16_t*)(const void*)table + 128;
        int16_t* y = (int16_t*)call->y;
        for (size_t i = 0; i < count; i++)
            y[i] = entries[x[i]];
    }
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    return sfi_checked(sfi_is_bare(op, 1, 0) && sfi_same_shape(sfi_input(p, op, 0), sfi_output(p, op)) &&
                           op->rescale_count == 0,
                       sfi_reads_bytes(p, op));
}

const sfi_operator sfi_lookup = {check, NULL, run, NULL, 0};
