/* The layer before the last by its exact gradient (contract, section 10). */
#ifndef SFI_PENULTIMATE_H
#define SFI_PENULTIMATE_H

#include "base/machine.h"
#include "multiply/open_tile.h"
#include "stepforward.h"

/* Of the last layer, and of the one before it: what buffers and sums of 32 bits hold. */
#define SFI_MOST_INPUTS 1024u
#define SFI_MOST_CLASSES 1024u
#define SFI_MOST_WEIGHTS (1u << 22)

/* In the state: the sums of a tail's other layer. All NULL: votes move it. */
typedef struct sfi_before {
    int32_t* weight; /* products of errors and inputs, as the weights lie */
    int32_t* bias;   /* errors; NULL: it does not move */
    uint32_t* by;    /* two words: what divides them when a step is made */
    int32_t* passed; /* devices: errors of one sample at its outputs */
} sfi_before;

/* What one block of samples has left: inputs and outputs of the layer, and the network's. */
typedef struct sfi_left {
    const int8_t *x, *y;
    const void* logits;
    const int32_t* labels;
    uint32_t n;
    sfi_open_kernel open_tile; /* hosts, or NULL */
} sfi_left;

/* Whether so many samples fit the sums. */
int sfi_before_admits(const sf_program* program, const sf_plan* plan, uint64_t rows);

/* Add samples. weights: as they are, unperturbed. shared: whether other threads add at the same time. */
void sfi_before_add(const sf_program* program, const sf_plan* plan, const void* weights, const sfi_before* before,
                    const sfi_left* left, int shared);

/* Before the update of a step, once: what divides its gradients. */
void sfi_before_settle(const sf_program* program, const sf_plan* plan, const sfi_before* before);

/* g of elements first .. first+count-1 of its weight or its bias. */
void sfi_before_gradient(const sfi_before* before, int is_weight, uint32_t first, uint32_t count, int32_t* g);

#endif
