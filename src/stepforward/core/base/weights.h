/* Where a parameter lies (stepforward.h, Weights), and what it takes in a buffer of trained ones. */
#ifndef SFI_WEIGHTS_H
#define SFI_WEIGHTS_H

#include "stepforward.h"

const uint8_t* sfi_weight_at(const sf_program* program, const sf_plan* plan, const void* weights, uint32_t tensor);
size_t sfi_moving_bytes(const sf_tensor* t);

#endif
