/* Long short-term memory. */
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/operator.h"
#include "operators/recurrent.h"
#include "stepforward.h"

#define MOST_CELL_BITS 8

enum { INPUT, OUTPUT, FORGET, CANDIDATE, GATES };

static sf_status check(const sf_program* p, const sf_op* op)
{
    return sfi_recurrent_check(p, op, GATES, MOST_CELL_BITS);
}

static uint64_t work(const sfi_kernels* kernels, const sf_program* p, const sf_op* op, uint32_t row_tile, int plain)
{
    (void)kernels;
    (void)row_tile;
    return sfi_recurrent_bytes(p, op, GATES, plain);
}

/* Gates are at most 2^15 and cells from -2^15 to 2^15 - 1, tangents below 2^15 in magnitude: of the two products one is
 * at least -2^30 and the other above it, both are at most 2^30 - 2^15, so the sum and a half stay in 32 bits. */
static void step(const sfi_recurrent* r)
{
    const uint32_t hidden = r->hidden;
    const int32_t cell = sfi_attribute(r->call->pass->program, r->call->op, SFI_OF_KIND), half = (1 << cell) >> 1;
    sfi_recurrent_multiply(r, INPUT, GATES, 1);
    for (uint32_t j = 0; j < hidden; j++) {
        const int16_t* sums = r->sums + j;
        const int32_t put = sfi_sigmoid(sums[INPUT]), keep = sfi_sigmoid(sums[FORGET * hidden]),
                      new = (put * sfi_tanh(sums[CANDIDATE * hidden], SFI_GATE_FRACTION) + half) >> cell;
        const int32_t now = sfi_sixteen_bits((keep * r->cells[j] + new + (1 << 14)) >> 15);
        r->cells[j] = (int16_t)now;
        r->state[j] = (int16_t)sfi_sixteen_bits(
            (sfi_sigmoid(sums[OUTPUT * hidden]) * sfi_tanh(now, 15u - (uint32_t)cell) + (1 << 14)) >> 15);
    }
}

static void run(const sfi_call* call) { sfi_recurrent_run(call, GATES, step); }

const sfi_operator sfi_lstm = {check, work, run, NULL, 0};
