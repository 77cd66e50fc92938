/* Curved votes (contract, section 8): sums over the samples of a step, and the system that they are. */
#ifndef SFI_CURVATURE_H
#define SFI_CURVATURE_H

#include "stepforward.h"

#define SFI_MOST_CURVED 32u         /* directions, so that sums have 63 bits */
#define SFI_MOST_CURVED_ROWS 16384u /* samples of a step */

/* Where a step adds up, in the plan's state; all zero between steps. logits: of one sample, (1 + directions) * classes,
 * for a device. */
typedef struct sfi_curve {
    int64_t* slopes;
    int64_t* curvatures; /* the lower half, row by row */
    int32_t* logits;
} sfi_curve;

/* Bytes of the state, wherever it begins. */
uint64_t sfi_curve_bytes(uint32_t directions, uint32_t classes);

sfi_curve sfi_curve_of(const sf_plan* plan, void* state);

/* Add one sample. logits: those of the weights as they are, classes of them, and `step` numbers on those along each
 * direction; they are lost. */
void sfi_curve_add(const sf_plan* plan, const sfi_curve* curve, int32_t* logits, size_t step, uint32_t classes,
                   uint32_t label);

/* The votes of the step, votes[directions], from the sums, which are lost. */
void sfi_curve_votes(const sf_plan* plan, const sfi_curve* curve, int8_t* votes);

/* Zeros, after a step or of one that failed. */
void sfi_curve_clear(const sf_plan* plan, void* state);

#endif
