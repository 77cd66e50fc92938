/* Fraction bits below weights of 8 and 4 bits. */
#include "base/fractions.h"
#include "base/integers.h"

sfi_fractions sfi_fractions_of(const sf_program* program, const sf_plan* plan, const void* state,
                               const sf_trainable* entry)
{
    sfi_fractions f = {NULL, 0};
    if (plan->weight_fractions == NULL)
        return f;
    const uint32_t index = (uint32_t)(entry - plan->trainables);
    f.bits = plan->weight_fractions[index];
    f.at = (uint8_t*)(uintptr_t)state + plan->fractions_first;
    for (uint32_t i = 0; i < index; i++)
        f.at += sfi_fraction_bytes(program->tensors + plan->trainables[i].tensor, plan->weight_fractions[i]);
    return f;
}

/* bits is a constant where this is called, and each fraction one of 8 / bits in a byte, in two's complement. */
SFI_INLINE void lengthen(const uint8_t* at, uint32_t bits, uint32_t first, uint32_t count, int16_t* w)
{
    const uint32_t in_byte = 8 / bits, mask = (1u << bits) - 1;
    const int32_t half = 1 << (bits - 1);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t e = first + i, code = ((uint32_t)at[e / in_byte] >> (e % in_byte * bits)) & mask;
        w[i] = (int16_t)(w[i] * (1 << bits) + (int32_t)(code ^ (uint32_t)half) - half);
    }
}

SFI_CLONES
static void lengthen_by_8(const int8_t* restrict at, uint32_t count, int16_t* restrict w)
{
    for (uint32_t i = 0; i < count; i++)
        w[i] = (int16_t)(w[i] * 256 + at[i]);
}

void sfi_lengthen(const sfi_fractions* f, uint32_t first, uint32_t count, int16_t* w)
{
    if (f->bits == 8)
        lengthen_by_8((const int8_t*)f->at + first, count, w);
    else if (f->bits == 4)
        lengthen(f->at, 4, first, count, w);
    else if (f->bits == 2)
        lengthen(f->at, 2, first, count, w);
}

/* |w| is at most 127 * 2^8 = 32512, so that the half fits. */
SFI_CLONES
static void shorten(uint32_t bits, uint32_t count, int16_t* w)
{
    const int32_t half = 1 << (bits - 1);
    for (uint32_t i = 0; i < count; i++)
        w[i] = (int16_t)((w[i] + half) >> bits);
}

void sfi_shorten(uint32_t bits, uint32_t count, int16_t* w)
{
    if (bits > 0)
        shorten(bits, count, w);
}

SFI_INLINE void split(uint8_t* at, uint32_t bits, uint32_t first, uint32_t count, int16_t* w)
{
    const uint32_t in_byte = 8 / bits, mask = (1u << bits) - 1;
    const int32_t half = 1 << (bits - 1);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t e = first + i, place = e % in_byte * bits;
        const int32_t q = (w[i] + half) >> bits;
        const uint32_t code = (uint32_t)(w[i] - q * (1 << bits)) & mask;
        at[e / in_byte] = (uint8_t)((at[e / in_byte] & ~(mask << place)) | (code << place));
        w[i] = (int16_t)q;
    }
}

SFI_CLONES
static void split_by_8(int8_t* restrict at, uint32_t count, int16_t* restrict w)
{
    for (uint32_t i = 0; i < count; i++) {
        at[i] = (int8_t)w[i]; /* its low byte is what is left */
        w[i] = (int16_t)((w[i] + 128) >> 8);
    }
}

void sfi_split(const sfi_fractions* f, uint32_t first, uint32_t count, int16_t* w)
{
    if (f->bits == 8)
        split_by_8((int8_t*)f->at + first, count, w);
    else if (f->bits == 4)
        split(f->at, 4, first, count, w);
    else if (f->bits == 2)
        split(f->at, 2, first, count, w);
}
