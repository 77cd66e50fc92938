/* One step of the weights. */
#ifndef SFI_UPDATE_H
#define SFI_UPDATE_H

#include "base/pass.h"
#include "stepforward.h"

/* z of the first directions of a step, as passes have kept it: of each `bytes`, one after the other. */
typedef struct sfi_drawn {
    const int8_t* z;
    size_t bytes;
    uint32_t directions;
} sfi_drawn;

typedef struct sfi_moving {
    const sfi_kernels* kernels;
    const sf_program* program;
    const sf_plan* plan;
    void* weights;
    void* state;
    uint32_t step;
    const int8_t* votes; /* of steps first .. step, one after the other */
    uint32_t first;
    sfi_drawn drawn; /* z of this step that passes have kept; the rest is drawn again */
} sfi_moving;

sf_status sfi_check_update(const sfi_moving* moving);

/* Whether the weights move in this step. Where several steps move them together its votes are held in the state, and
 * `moving` gets those of all. */
int sfi_hold_votes(sfi_moving* moving);

/* Moves elements first .. first+count-1 of one trainable tensor; first is a multiple of SFI_CHUNK. Pieces of a tensor
 * may be moved in any order, and at the same time. */
void sfi_update_elements(const sfi_moving* moving, const sf_trainable* entry, uint32_t first, uint32_t count);

#endif
