/* Plain recurrent layer. */
#include "base/pass.h"
#include "base/tensors.h"
#include "operators/operator.h"
#include "operators/recurrent.h"
#include "stepforward.h"

static sf_status check(const sf_program* p, const sf_op* op) { return sfi_recurrent_check(p, op, 1, 1); }

static uint64_t work(const sfi_kernels* kernels, const sf_program* p, const sf_op* op, uint32_t row_tile, int plain)
{
    (void)kernels;
    (void)row_tile;
    return sfi_recurrent_bytes(p, op, 1, plain);
}

static void step(const sfi_recurrent* r)
{
    const int relu = sfi_attribute(r->call->pass->program, r->call->op, SFI_OF_KIND);
    sfi_recurrent_multiply(r, 0, 1, 1);
    for (uint32_t j = 0; j < r->hidden; j++) {
        const int32_t sum = r->sums[j];
        r->state[j] = (int16_t)(!relu ? sfi_tanh(sum, SFI_GATE_FRACTION) : sum > 0 ? sum : 0);
    }
}

static void run(const sfi_call* call) { sfi_recurrent_run(call, 1, step); }

const sfi_operator sfi_rnn = {check, work, run, NULL, 0};
