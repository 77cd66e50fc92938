/* Low-bit weights that learn: a weight of 8 or 4 bits and the fraction bits below it in the state make one long number
 * of 16 bits, in units of 2^-bits of the weight's quantum (contract, section 7). */
#ifndef SFI_FRACTIONS_H
#define SFI_FRACTIONS_H

#include "base/machine.h"
#include "stepforward.h"

/* The fractions of one trainable tensor. */
typedef struct sfi_fractions {
    uint8_t* at;   /* of its first element, in the state */
    uint32_t bits; /* 8, 4, 2; 0: it has none */
} sfi_fractions;

/* Bytes of them: whole ones for every tensor, so that threads may write two of them at once. */
SFI_INLINE uint64_t sfi_fraction_bytes(const sf_tensor* t, uint32_t bits)
{
    return ((uint64_t)(uint32_t)t->elements * bits + 7) / 8;
}

sfi_fractions sfi_fractions_of(const sf_program* program, const sf_plan* plan, const void* state,
                               const sf_trainable* entry);

/* w: weights of elements first .. first+count-1 become long numbers. */
void sfi_lengthen(const sfi_fractions* f, uint32_t first, uint32_t count, int16_t* w);

/* Long numbers become the weights nearest to them, halves up. */
void sfi_shorten(uint32_t bits, uint32_t count, int16_t* w);

/* The same, and what is left becomes their fractions. */
void sfi_split(const sfi_fractions* f, uint32_t first, uint32_t count, int16_t* w);

#endif
