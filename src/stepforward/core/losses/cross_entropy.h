/* Integer cross-entropy, straight from an output tensor: like sf_cross_entropy(). */
#ifndef SFI_CROSS_ENTROPY_H
#define SFI_CROSS_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* 2^30 * 2^(-t / 2^16), t >= 0. */
int64_t sfi_exp2_negative(int64_t t);

int64_t sfi_cross_entropy_s16(const int16_t* logits, uint32_t classes, uint32_t label, uint32_t mult, uint32_t shift);
int64_t sfi_cross_entropy_s8(const int8_t* logits, uint32_t classes, uint32_t label, uint32_t mult, uint32_t shift);

#endif
