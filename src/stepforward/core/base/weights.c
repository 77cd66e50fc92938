/* Where weights lie (stepforward.h, Weights): trained ones in the caller's buffer, all others in the program's file. */
#include "base/machine.h"
#include "base/weights.h"
#include "stepforward.h"

const void* sf_program_weights(const sf_program* program) { return program->file + program->weights_offset; }

size_t sfi_moving_bytes(const sf_tensor* t) { return ((size_t)t->bytes + 3) & ~(size_t)3; }

const uint8_t* sfi_weight_at(const sf_program* program, const sf_plan* plan, const void* weights, uint32_t tensor)
{
    const uint8_t* at = (const uint8_t*)weights;
    const size_t offset = (size_t)program->tensors[tensor].offset;
    if (plan == NULL)
        return at + offset;
    for (uint32_t i = 0; i < plan->trainable_count && plan->trainables[i].tensor <= tensor; i++) {
        if (plan->trainables[i].tensor == tensor)
            return at;
        at += sfi_moving_bytes(program->tensors + plan->trainables[i].tensor);
    }
    return (const uint8_t*)sf_program_weights(program) + offset;
}

void sf_plan_weights(const sf_plan* plan, const sf_program* program, void* weights)
{
    uint8_t* at = (uint8_t*)weights;
    for (uint32_t i = 0; i < plan->trainable_count; i++) {
        const sf_tensor* t = program->tensors + plan->trainables[i].tensor;
        const size_t bytes = sfi_moving_bytes(t), padding = bytes - (size_t)t->bytes;
        sfi_copy(at, (const uint8_t*)sf_program_weights(program) + t->offset, (size_t)t->bytes);
        sfi_fill(at + t->bytes, 0, padding);
        at += bytes;
    }
}
