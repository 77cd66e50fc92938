/* The last layer, and perhaps the one before it, by their exact gradients (contract, section 10). */
#ifndef SFI_TAIL_H
#define SFI_TAIL_H

#include "base/machine.h"
#include "stepforward.h"
#include "train/penultimate.h"

/* Where samples add up. All threads of a host add to the sums; rows are each one's own until they are put into the
 * state. */
typedef struct sfi_tail {
    int32_t* weight; /* products of errors and inputs, as the weights lie; NULL: they do not move */
    int32_t* bias;   /* errors; NULL: it does not move */
    int32_t* inputs; /* of each input without its zero point; NULL: the weights do not move */
    uint32_t* squares;
    sfi_before before;
    uint32_t rows;
    int shared; /* whether several threads add */
} sfi_tail;

SFI_INLINE int sfi_has_tail(const sf_plan* plan) { return plan != NULL && plan->voted_count < plan->trainable_count; }

/* Whether a tensor of the plan is moved by the tail's gradient. */
SFI_INLINE int sfi_in_tail(const sf_plan* plan, const sf_trainable* entry)
{
    return (uint32_t)(entry - plan->trainables) >= plan->voted_count;
}

/* The tail of a plan with its sums in the state; nothing added by this caller yet. */
sfi_tail sfi_tail_of(const sf_program* program, const sf_plan* plan, void* state);

/* Whether so many samples more fit the sums, and the state is aligned. */
sf_status sfi_tail_admits(const sf_program* program, const sf_plan* plan, const void* state, uint64_t rows);

/* Nothing gathers. */
#define SFI_NO_TAIL {NULL, NULL, NULL, NULL, {NULL, NULL, NULL, NULL}, 0, 0}

/* Add n samples to the last layer. x: its inputs; data: its outputs. */
void sfi_tail_add(const sf_program* program, const sf_plan* plan, sfi_tail* tail, const int8_t* x, const void* data,
                  const int32_t* labels, uint32_t n);

/* Put rows into the state. */
void sfi_tail_note(const sf_plan* plan, const sfi_tail* tail, void* state);

/* Before the update of a step, once: what its gradients are made from. */
void sfi_tail_settle(const sf_program* program, const sf_plan* plan, void* state);

/* g of elements first .. first+count-1 of one of its tensors: what takes the place of the sum of votes. */
void sfi_tail_gradient(const sf_program* program, const sf_plan* plan, const void* state, const sf_trainable* entry,
                       uint32_t first, uint32_t count, int32_t* g);

/* Forget what was added, if there is a tail. */
void sfi_tail_clear(const sf_plan* plan, void* state);

#endif
