/* Gated recurrent unit. */
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/operator.h"
#include "operators/recurrent.h"
#include "stepforward.h"

enum { UPDATE, RESET, CANDIDATE, GATES };

static sf_status check(const sf_program* p, const sf_op* op) { return sfi_recurrent_check(p, op, GATES, 1); }

static uint64_t work(const sfi_kernels* kernels, const sf_program* p, const sf_op* op, uint32_t row_tile, int plain)
{
    (void)kernels;
    (void)row_tile;
    return sfi_recurrent_bytes(p, op, GATES, plain);
}

/* Gates are at most 2^15, states, candidates and sums below it in magnitude: products of two are at most 2^30, and so
 * is what two gates that add up to 2^15 make of a state and a candidate. */
static void step(const sfi_recurrent* r)
{
    const uint32_t hidden = r->hidden;
    const int reset_after = sfi_attribute(r->call->pass->program, r->call->op, SFI_OF_KIND);
    const int16_t* x = r->x + (size_t)CANDIDATE * hidden;
    int16_t* candidate = r->sums + (size_t)CANDIDATE * hidden;
    sfi_recurrent_multiply(r, UPDATE, 2, 1);
    if (reset_after)
        sfi_recurrent_multiply(r, CANDIDATE, 1, 0);
    for (uint32_t j = 0; j < hidden; j++) {
        const int32_t reset = sfi_sigmoid(r->sums[RESET * hidden + j]);
        if (reset_after)
            candidate[j] = (int16_t)sfi_sixteen_bits(x[j] + ((reset * candidate[j] + (1 << 14)) >> 15));
        else
            r->read[j] = sfi_eight_bits((reset * r->state[j] + (1 << 14)) >> 15);
    }
    if (!reset_after)
        sfi_recurrent_multiply(r, CANDIDATE, 1, 1);
    for (uint32_t j = 0; j < hidden; j++) {
        const int32_t update = sfi_sigmoid(r->sums[j]), new = sfi_tanh(candidate[j], SFI_GATE_FRACTION);
        r->state[j] = (int16_t)sfi_sixteen_bits((update * r->state[j] + (32768 - update) * new + (1 << 14)) >> 15);
    }
}

static void run(const sfi_call* call) { sfi_recurrent_run(call, GATES, step); }

const sfi_operator sfi_gru = {check, work, run, NULL, 0};
