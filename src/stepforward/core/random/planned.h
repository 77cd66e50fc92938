/* Directions as a plan has them: drawn, guided, masked (contract, section 6). */
#ifndef SFI_PLANNED_H
#define SFI_PLANNED_H

#include "random/draw.h"
#include "stepforward.h"

/* z of elements first .. first+count-1 of a tensor that votes move, in the stream's step and direction.
 * state: the caller's, as the step before has left it. */
void sfi_draw_planned(const sfi_stream* stream, const sf_program* program, const sf_plan* plan, const void* state,
                      const sf_trainable* entry, uint32_t first, uint32_t count, int8_t* z);

#endif
