/* Masks: elements of a direction that a plan leaves alone are zero (contract, section 6). */
#ifndef SFI_MASK_H
#define SFI_MASK_H

#include "random/draw.h"
#include "stepforward.h"

enum { SFI_MASK_RANDOM = 1, SFI_MASK_LEAST = 2, SFI_MASK_BITS = 3 };

/* z: elements first .. first+count-1 of one direction of a tensor that votes move, as they were drawn from `stream`. */
void sfi_mask(const sfi_stream* stream, const sf_program* program, const sf_plan* plan, const sf_trainable* entry,
              uint32_t first, uint32_t count, int8_t* z);

#endif
