/* Running operators on a block of samples, and the two things a caller wants from it: logits and losses. */
#include "base/guard.h"
#include "base/integers.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "losses/cross_entropy.h"
#include "multiply/choose.h"
#include "multiply/matching.h"
#include "operators/operator.h"
#include "operators/packing.h"
#include "stepforward.h"
#include "train/forward.h"

/* plain: on a device, for weights that are never perturbed. */
static uint64_t work_bytes(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile,
                           int plain)
{
    const sfi_operator* o = sfi_operator_of(op->kind);
    return o->work != NULL ? o->work(kernels, program, op, row_tile, plain) : 0;
}

/* Activations of a block; what follows them is aligned, on hosts to a cache line. */
static size_t arena_bytes(const sf_program* program, uint32_t block, uint32_t row_tile)
{
    const size_t align = row_tile < SFI_PANEL ? 8 : 64;
    return ((size_t)program->arena_bytes * block + align - 1) & ~(align - 1);
}

/* Where the working memory of an operator begins: on a device after the last activation that is alive while it runs,
 * if the program says where that is. */
static size_t work_at(const sf_program* program, const sf_op* op, uint32_t block, uint32_t row_tile)
{
    return sfi_for_device(row_tile) && op->work > 0 ? (size_t)op->work * block : arena_bytes(program, block, row_tile);
}

static size_t bytes_for(const sfi_kernels* kernels, const sf_program* program, uint32_t block, uint32_t row_tile,
                        int plain)
{
    if (program == NULL || block == 0 || row_tile == 0 || row_tile > 65536 ||
        (row_tile != SF_DEVICE_ROWS && (sfi_for_device(row_tile) || row_tile % SFI_PANEL != 0)))
        return 0;
    /* kernels count the positions of a block in 32 bits, and none has more of them than bytes of output */
    if (program->arena_bytes > 0 && block > (uint32_t)INT32_MAX / program->arena_bytes)
        return 0;
    uint64_t most = arena_bytes(program, block, row_tile);
    for (uint32_t i = 0; i < program->op_count; i++) {
        const sf_op* op = program->ops + i;
        const uint64_t work = work_bytes(kernels, program, op, row_tile, plain);
        if (work > SIZE_MAX / 2)
            return 0;
        if (work > 0 && work_at(program, op, block, row_tile) + work > most)
            most = work_at(program, op, block, row_tile) + work;
    }
    return (size_t)most;
}

size_t sfi_scratch_need(const sfi_kernels* kernels, const sf_program* program, uint32_t block, uint32_t row_tile)
{
    return bytes_for(kernels, program, block, row_tile, 0);
}

size_t sf_scratch_bytes(const sf_program* program, uint32_t block, uint32_t row_tile)
{
    const sfi_kernels kernels = sfi_choose();
    return bytes_for(&kernels, program, block, row_tile, 0);
}

size_t sf_inference_bytes(const sf_program* program, uint32_t block)
{
    const sfi_kernels kernels = sfi_choose();
    return bytes_for(&kernels, program, block, SF_DEVICE_ROWS, 1);
}

static sf_status check_pointers(const sfi_pass* pass, const sf_scratch* scratch, const int8_t* x)
{
    const void* weights = pass->weights;
    if (pass->program == NULL || weights == NULL || scratch == NULL || scratch->memory == NULL || x == NULL)
        return SF_BAD_ARGUMENT;
    const uintptr_t words = pass->program->tensors[pass->program->input].dtype == SF_S16;
    if (((uintptr_t)weights & 3u) != 0 || ((uintptr_t)scratch->memory & 7u) != 0 || ((uintptr_t)x & words) != 0)
        return SF_MISALIGNED;
    return SF_OK;
}

/* plain: the weights are not perturbed, so that less scratch will do on a device. */
static sf_status check_scratch(const sfi_pass* pass, const sf_scratch* scratch, int plain)
{
    const size_t need = bytes_for(pass->kernels, pass->program, scratch->block, scratch->row_tile, plain);
    if (need == 0)
        return SF_BAD_ARGUMENT;
    return scratch->bytes < need ? SF_SCRATCH_TOO_SMALL : SF_OK;
}

/* Perturbed weights may need what a step has left in the state. */
static sf_status check_state(const sfi_pass* pass)
{
    if (pass->plan != NULL && pass->plan->state_bytes > 0 && pass->state == NULL)
        return SF_BAD_ARGUMENT;
    return ((uintptr_t)pass->state & 3u) != 0 ? SF_MISALIGNED : SF_OK;
}

static void* data_of(const sf_program* program, const sf_scratch* scratch, const int8_t* x, uint32_t n, int32_t tensor)
{
    if ((uint32_t)tensor == program->input)
        return (void*)(uintptr_t)x; /* only ever read: no operator writes the network's input */
    return (uint8_t*)scratch->memory + (size_t)program->tensors[tensor].offset * n;
}

void* sfi_work(const sf_program* program, const sf_scratch* scratch)
{
    return (uint8_t*)scratch->memory + arena_bytes(program, scratch->block, scratch->row_tile);
}

/* Sanitizer builds: of the activations only an operator's own and what lies after its work may be touched, and no gap
 * of the working memory stays forbidden. */
static void guard(const sfi_call* call, const sf_scratch* scratch)
{
    const sf_program* program = call->pass->program;
    const sf_op* op = call->op;
    sfi_forbid(scratch->memory, (size_t)program->arena_bytes * call->n);
    for (int32_t j = 0; j < op->input_count; j++)
        sfi_allow(call->inputs[j], (size_t)sfi_input(program, op, j)->bytes * call->n);
    sfi_allow(call->y, (size_t)call->out->bytes * call->n);
    sfi_allow(call->work, call->work_bytes);
}

/* What operator i knows of matching: NULL where it is no site. Operators come in order. */
static sfi_matching* matching_of(const sfi_pass* pass, uint32_t i)
{
    sfi_matching* matching = pass->matching;
    if (matching->more && matching->site.op < i)
        matching->more = (uint32_t)sfi_next_site(pass->program, &matching->site);
    return matching->more && matching->site.op == i ? matching : NULL;
}

void sfi_run(const sfi_pass* pass, const sf_scratch* scratch, const int8_t* x, uint32_t n, uint32_t first,
             uint32_t last)
{
    const sf_program* program = pass->program;
    sfi_call call = {0};
    call.pass = pass;
    call.n = n;
    call.row_tile = scratch->row_tile;
    call.packed = pass->packed;
    for (uint32_t i = first; i < last; i++) {
        const sf_op* op = program->ops + i;
        const size_t at = work_at(program, op, scratch->block, scratch->row_tile);
        call.op = op;
        call.matching = pass->matching != NULL ? matching_of(pass, i) : NULL;
        call.work = (uint8_t*)scratch->memory + at;
        call.work_bytes = scratch->bytes - at;
        call.in = sfi_input(program, op, 0);
        call.out = sfi_output(program, op);
        for (int32_t j = 0; j < op->input_count; j++)
            call.inputs[j] = data_of(program, scratch, x, n, sfi_input_index(program, op, j));
        call.x = call.inputs[0];
        call.y = data_of(program, scratch, x, n, sfi_output_index(program, op));
        guard(&call, scratch);
        sfi_operator_of(op->kind)->run(&call);
        sfi_allow(scratch->memory, scratch->bytes);
#if __STDC_HOSTED__
        if (call.packed != NULL)
            call.packed += sfi_packed_bytes(pass->kernels, program, call.row_tile, i, i + 1);
#endif
    }
}

sf_status sf_forward(const sf_program* program, const sf_plan* plan, const void* weights, const void* state,
                     const sf_scratch* scratch, const int8_t* x, uint32_t n, uint32_t first, uint32_t last,
                     const sf_perturbation* perturbation)
{
    const sfi_kernels kernels = sfi_choose();
    const sfi_pass pass = {&kernels, program, plan, (const uint8_t*)weights, (const uint8_t*)state, perturbation,
                           NULL,     NULL,    NULL};
    sf_status status = check_pointers(&pass, scratch, x);
    if (status == SF_OK)
        status = check_state(&pass);
    if (status == SF_OK)
        status = check_scratch(&pass, scratch, 0);
    if (status != SF_OK)
        return status;
    if (n > scratch->block || first > last || last > program->op_count)
        return SF_BAD_ARGUMENT;
    sfi_run(&pass, scratch, x, n, first, last);
    return SF_OK;
}

static const sfi_packed on_the_way = {NULL, NULL, 0};

void sfi_block_logits(const sfi_pass* plain, const sf_scratch* scratch, const int8_t* x, uint32_t n,
                      const sfi_packed* packed, int32_t* logits)
{
    const sf_program* program = plain->program;
    sfi_pass pass = *plain;
    pass.packed = packed->prefix;
    sfi_run(&pass, scratch, x, n, 0, program->cut);
    pass.packed = packed->suffix;
    sfi_run(&pass, scratch, x, n, program->cut, program->op_count);
    const void* data = data_of(program, scratch, x, n, (int32_t)program->output);
    sfi_load_all(data, program->tensors[program->output].dtype, (size_t)n * program->classes, logits);
}

sf_status sfi_check_logits(const sfi_pass* pass, const sf_scratch* scratch, const int8_t* x, const int32_t* logits)
{
    const sf_status status = check_pointers(pass, scratch, x);
    return status == SF_OK && logits == NULL ? SF_BAD_ARGUMENT : status;
}

sf_status sf_logits(const sf_program* program, const sf_plan* plan, const void* weights, const sf_scratch* scratch,
                    const int8_t* x, uint32_t n, int32_t* logits)
{
    const sfi_kernels kernels = sfi_choose();
    const sfi_pass plain = {&kernels, program, plan, (const uint8_t*)weights, NULL, NULL, NULL, NULL, NULL};
    sf_status status = sfi_check_logits(&plain, scratch, x, logits);
    if (status == SF_OK)
        status = check_scratch(&plain, scratch, 1);
    for (uint32_t at = 0, count; status == SF_OK && at < n; at += count) {
        count = sfi_min_u32(scratch->block, n - at);
        sfi_block_logits(&plain, scratch, x + (size_t)at * program->input_bytes, count, &on_the_way,
                         logits + (size_t)at * program->classes);
    }
    return status;
}

/* The plan's objective, the cross-entropy of contract, section 5, straight from the output tensor. */
static int64_t block_loss(const sf_program* program, const sf_plan* plan, const void* data, const int32_t* labels,
                          uint32_t n)
{
    int64_t loss = 0;
    for (uint32_t s = 0; s < n; s++) {
        const size_t first = (size_t)s * program->classes;
        loss += program->tensors[program->output].dtype == SF_S16
                    ? sfi_cross_entropy_s16((const int16_t*)data + first, program->classes, (uint32_t)labels[s],
                                            plan->loss_mult, plan->loss_shift)
                    : sfi_cross_entropy_s8((const int8_t*)data + first, program->classes, (uint32_t)labels[s],
                                           plan->loss_mult, plan->loss_shift);
    }
    return loss;
}

/* Add a block of samples that all operators have run to the gradients of a tail. */
static void gather(const sfi_pass* plain, sfi_tail* tail, const sf_scratch* scratch, const int8_t* x,
                   const int32_t* labels, uint32_t n)
{
    const sf_program* program = plain->program;
    const sf_op *last = program->ops + program->op_count - 1, *before = program->ops + plain->plan->before_op;
    const void* logits = data_of(program, scratch, x, n, (int32_t)program->output);
    sfi_tail_add(program, plain->plan, tail,
                 (const int8_t*)data_of(program, scratch, x, n, sfi_input_index(program, last, 0)), logits, labels, n);
    if (plain->plan->before_count == 0)
        return;
    const sfi_left left = {(const int8_t*)data_of(program, scratch, x, n, sfi_input_index(program, before, 0)),
                           (const int8_t*)data_of(program, scratch, x, n, sfi_output_index(program, before)),
                           logits,
                           labels,
                           n,
#if __STDC_HOSTED__
                           plain->kernels->open_tile
#else
                           NULL
#endif
    };
    sfi_before_add(program, plain->plan, plain->weights, &tail->before, &left, tail->shared);
}

void sfi_block_losses(const sfi_pass* plain, const sf_scratch* scratch, const int8_t* x, const int32_t* labels,
                      uint32_t n, const sf_perturbation* perturbations, uint32_t count, const sfi_packed* packed,
                      sfi_tail* tail, int64_t* losses, const sfi_seen* seen)
{
    const sf_program* program = plain->program;
    sfi_pass pass = *plain;
    pass.packed = packed->prefix;
    sfi_run(&pass, scratch, x, n, 0, program->cut);
    for (uint32_t j = 0; j < count; j++) {
        pass.perturbation = perturbations + j;
        pass.packed = packed->suffix != NULL ? packed->suffix + j * packed->step : NULL;
        sfi_run(&pass, scratch, x, n, program->cut, program->op_count);
        const void* data = data_of(program, scratch, x, n, (int32_t)program->output);
        losses[j] += block_loss(program, plain->plan, data, labels, n);
        if (seen != NULL)
            sfi_load_all(data, program->tensors[program->output].dtype, (size_t)n * program->classes,
                         seen->logits + j * seen->step);
        if (tail != NULL)
            gather(plain, tail, scratch, x, labels, n);
    }
}

sf_status sfi_check_losses(const sfi_pass* pass, const sf_scratch* scratch, const int8_t* x, const int32_t* labels,
                           uint32_t n, const int64_t* losses)
{
    const sf_status status = check_pointers(pass, scratch, x);
    if (status != SF_OK)
        return status;
    if (pass->plan == NULL || pass->plan->objective == 0 || labels == NULL || losses == NULL)
        return SF_BAD_ARGUMENT;
    for (uint32_t i = 0; i < n; i++)
        if (labels[i] < 0 || (uint32_t)labels[i] >= pass->program->classes)
            return SF_BAD_LABEL;
    return check_state(pass);
}

static sf_status check_perturbations(const sf_perturbation* perturbations, uint32_t count)
{
    if (count > 0 && perturbations == NULL)
        return SF_BAD_ARGUMENT;
    for (uint32_t j = 0; j < count; j++)
        if (perturbations[j].sign < -1 || perturbations[j].sign > 1 || perturbations[j].ascent < -127 ||
            perturbations[j].ascent > 127)
            return SF_BAD_ARGUMENT;
    return SF_OK;
}

/* gathered: NULL, or the state, to which the samples add the tail's gradient. */
static sf_status losses_of(const sf_program* program, const sf_plan* plan, const void* weights, const void* state,
                           void* gathered, const sf_scratch* scratch, const int8_t* x, const int32_t* labels,
                           uint32_t n, const sf_perturbation* perturbations, uint32_t count, int64_t* losses,
                           const sfi_seen* seen)
{
    const sfi_kernels kernels = sfi_choose();
    const sfi_pass plain = {&kernels, program, plan, (const uint8_t*)weights, (const uint8_t*)state, NULL,
                            NULL,     NULL,    NULL};
    sf_status status = sfi_check_losses(&plain, scratch, x, labels, n, losses);
    if (status == SF_OK)
        status = check_scratch(&plain, scratch, 0);
    if (status == SF_OK)
        status = check_perturbations(perturbations, count);
    const int gathers = gathered != NULL && sfi_has_tail(plan);
    if (status == SF_OK && gathers)
        status = sfi_tail_admits(program, plan, gathered, (uint64_t)n * count);
    if (status != SF_OK)
        return status;
    sfi_tail tail = SFI_NO_TAIL;
    if (gathers)
        tail = sfi_tail_of(program, plan, gathered);
    for (uint32_t j = 0; j < count; j++)
        losses[j] = 0;
    for (uint32_t at = 0, size; at < n; at += size) {
        size = sfi_min_u32(scratch->block, n - at);
        sfi_block_losses(&plain, scratch, x + (size_t)at * program->input_bytes, labels + at, size, perturbations,
                         count, &on_the_way, gathers ? &tail : NULL, losses, seen);
    }
    if (gathers)
        sfi_tail_note(plan, &tail, gathered);
    return SF_OK;
}

sf_status sf_losses(const sf_program* program, const sf_plan* plan, const void* weights, const void* state,
                    const sf_scratch* scratch, const int8_t* x, const int32_t* labels, uint32_t n,
                    const sf_perturbation* perturbations, uint32_t count, int64_t* losses)
{
    return losses_of(program, plan, weights, state, NULL, scratch, x, labels, n, perturbations, count, losses, NULL);
}

sf_status sfi_gather(const sf_program* program, const sf_plan* plan, const void* weights, void* state,
                     const sf_scratch* scratch, const int8_t* x, const int32_t* labels, uint32_t n,
                     const sf_perturbation* perturbations, uint32_t count, int64_t* losses, const sfi_seen* seen)
{
    return losses_of(program, plan, weights, state, state, scratch, x, labels, n, perturbations, count, losses, seen);
}
