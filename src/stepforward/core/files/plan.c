/* Opening a .sft file in place (docs/file-formats.md, section 2), against the program it was made for. */
#include "base/machine.h"
#include "base/weights.h"
#include "stepforward.h"

#define HEADER_BYTES 84u

static uint32_t word(const uint8_t* at)
{
    uint32_t v;
    sfi_copy(&v, at, sizeof v);
    return v;
}

static sf_status read_header(sf_plan* plan, const uint8_t* file, size_t bytes)
{
    if (bytes < 4 || file[0] != 'S' || file[1] != 'F' || file[2] != 'T' || file[3] != '1')
        return SF_BAD_MAGIC;
    if (bytes < HEADER_BYTES)
        return SF_TRUNCATED;
    if (word(file + 4) != 2)
        return SF_BAD_VERSION;
    const uint32_t size = word(file + 8);
    if (size < HEADER_BYTES)
        return SF_BAD_PLAN;
    if (size > bytes)
        return SF_TRUNCATED;
    if (sf_crc32(0, file + 16, size - 16) != word(file + 12))
        return SF_BAD_CHECKSUM;
    plan->seed = word(file + 16) | (uint64_t)word(file + 20) << 32;
    plan->directions = word(file + 24);
    plan->distribution = word(file + 28);
    plan->perturbation = word(file + 32);
    plan->rounding = word(file + 36);
    plan->beta = word(file + 40);
    plan->fraction_bits = word(file + 44);
    plan->schedule = word(file + 48);
    plan->steps = word(file + 52);
    plan->warmup = word(file + 56);
    plan->trainable_count = word(file + 60);
    plan->scaler_count = word(file + 64);
    plan->first_op = word(file + 68);
    plan->delta_mult = word(file + 72);
    plan->delta_shift = word(file + 76);
    plan->share_batch = word(file + 80);
    if (HEADER_BYTES + 16 * ((uint64_t)plan->trainable_count + plan->scaler_count) != size)
        return SF_BAD_PLAN;
    plan->trainables = (const sf_trainable*)(const void*)(file + HEADER_BYTES);
    plan->scalers = (const sf_scaler*)(const void*)(file + HEADER_BYTES + 16 * (size_t)plan->trainable_count);
    return SF_OK;
}

/* fraction_bits <= 8 keeps (sum of votes * z) << fraction_bits inside int32: 255 * 128 * 127 * 2^8 < 2^31. */
static int numbers_fit(const sf_plan* plan)
{
    return plan->directions >= 1 && plan->directions <= SF_MAX_DIRECTIONS && plan->distribution <= SF_BINOMIAL &&
           plan->perturbation <= SF_PAPER && plan->rounding <= SF_STOCHASTIC && plan->beta <= 32768 &&
           plan->fraction_bits <= 8 && (plan->beta > 0 || plan->fraction_bits == 0) && plan->schedule <= SF_COSINE &&
           plan->steps >= 1 && plan->delta_mult <= 65535 && plan->delta_shift <= 47 && plan->share_batch <= 1;
}

static int scaler_fits(const sf_plan* plan, const sf_scaler* s)
{
    const uint32_t most = plan->perturbation == SF_PAPER ? (uint32_t)1 << 24 : 65535;
    return s->perturb_mult <= most && s->perturb_shift <= 47 && s->update_mult <= 65535 && s->update_shift <= 47;
}

static uint32_t channels_of(const sf_tensor* t)
{
    const uint32_t divisor = (uint32_t)t->channel_divisor, elements = (uint32_t)t->elements;
    return t->channel_rule == 0 ? 1 : t->channel_rule == 2 ? divisor : (elements + divisor - 1) / divisor;
}

static sf_status check_trainables(sf_plan* plan, const sf_program* program)
{
    uint64_t elements = 0, bytes = 0;
    for (uint32_t i = 0; i < plan->trainable_count; i++) {
        const sf_trainable* t = plan->trainables + i;
        if (t->tensor >= program->parameter_count)
            return SF_PLAN_MISMATCH;
        if (i > 0 && t->tensor <= plan->trainables[i - 1].tensor)
            return SF_BAD_PLAN;
        if ((uint64_t)t->scaler_first + t->scaler_count > plan->scaler_count || t->momentum_first != elements)
            return SF_BAD_PLAN;
        if (t->scaler_count != 1 && t->scaler_count != channels_of(program->tensors + t->tensor))
            return SF_PLAN_MISMATCH;
        elements += (uint32_t)program->tensors[t->tensor].elements;
        bytes += sfi_moving_bytes(program->tensors + t->tensor);
        if (elements > (uint64_t)INT32_MAX || bytes > (uint64_t)INT32_MAX)
            return SF_TOO_LARGE;
    }
    plan->weights_bytes = (uint32_t)bytes;
    plan->momentum_elements = plan->beta > 0 ? (uint32_t)elements : 0;
    return plan->trainable_count > 0 ? SF_OK : SF_BAD_PLAN;
}

static int reads_trainable(const sf_plan* plan, const sf_op* op)
{
    for (uint32_t i = 0; i < plan->trainable_count; i++) {
        const int32_t tensor = (int32_t)plan->trainables[i].tensor;
        if (op->weight == tensor || op->bias == tensor)
            return 1;
    }
    return 0;
}

sf_status sf_plan_open(sf_plan* plan, const sf_program* program, const void* file, size_t bytes)
{
    if (plan == NULL || program == NULL || program->tensors == NULL || file == NULL)
        return SF_BAD_ARGUMENT;
    if (((uintptr_t)file & 3u) != 0)
        return SF_MISALIGNED;
    sfi_fill(plan, 0, sizeof *plan);
    sf_status status = read_header(plan, (const uint8_t*)file, bytes);
    if (status == SF_OK && !numbers_fit(plan))
        status = SF_BAD_PLAN;
    for (uint32_t i = 0; status == SF_OK && i < plan->scaler_count; i++)
        if (!scaler_fits(plan, plan->scalers + i))
            status = SF_BAD_PLAN;
    if (status == SF_OK)
        status = check_trainables(plan, program);
    if (status == SF_OK) {
        uint32_t first = 0;
        while (first < program->op_count && !reads_trainable(plan, program->ops + first))
            first++;
        if (first != plan->first_op || first < program->cut)
            status = SF_PLAN_MISMATCH;
    }
    if (status != SF_OK)
        sfi_fill(plan, 0, sizeof *plan);
    return status;
}
