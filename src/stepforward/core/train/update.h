/* One step of the weights. */
#ifndef SF_UPDATE_H
#define SF_UPDATE_H

#include "base/pass.h"
#include "stepforward.h"

/* z of the first directions of a step, as passes have kept it: of each `bytes`, one after the other. */
typedef struct sf_drawn {
    const int8_t* z;
    size_t bytes;
    uint32_t directions;
} sf_drawn;

typedef struct sf_moving {
    const sf_kernels* kernels;
    const sf_program* program;
    const sf_plan* plan;
    void* weights;
    int16_t* momentum;
    uint32_t step;
    const int8_t* votes;
    sf_drawn drawn; /* z of this step that passes have kept; the rest is drawn again */
} sf_moving;

sf_status sf_check_update(const sf_moving* moving);

/* Moves elements first .. first+count-1 of one trainable tensor; first is a multiple of SF_CHUNK. Pieces of a tensor may be moved in any
 * order, and at the same time. */
void sf_update_elements(const sf_moving* moving, const sf_trainable* entry, uint32_t first, uint32_t count);

#endif
