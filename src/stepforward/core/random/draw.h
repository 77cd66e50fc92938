/* Drawing directions: streams, and the kernels that fill groups of elements. */
#ifndef SFI_DRAW_H
#define SFI_DRAW_H

#include "base/machine.h"

/* Elements that are widened, perturbed or updated together; a multiple of a Philox block of every distribution on
 * hosts. Devices keep it small because it lives on the stack. */
#if __STDC_HOSTED__
#define SFI_CHUNK 128u
#else
#define SFI_CHUNK 32u
#endif

#define SFI_DRAW 64u /* elements of a group: the half-words of eight Philox blocks */

/* Keeps a loop a loop: unrolled, its constants would be loaded ahead of it and stored, which does not pay for a few
 * groups. */
#define SFI_ROLLED _Pragma("GCC unroll 1")

/* `groups` groups from block counter[0] on; keys: two for each round. */
typedef void (*sfi_draw_z)(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, int8_t* z);
typedef void (*sfi_draw_halves)(const uint32_t counter[4], const uint32_t keys[20], uint32_t groups, uint16_t* u);

/* z of the 128 bits of a block. */
typedef void (*sfi_draw_signs)(const uint32_t words[4], int8_t z[128]);

typedef struct sfi_draw_kernels {
    sfi_draw_z normal;
    sfi_draw_z binomial;
    sfi_draw_halves halves;
    sfi_draw_signs signs;
} sfi_draw_kernels;

/* A stream of the contract: all of a counter but the block, and the key; and, on a host, what draws from it. */
typedef struct sfi_stream {
    uint64_t seed;
    uint32_t step, direction, tensor;
#if __STDC_HOSTED__
    const sfi_draw_kernels* kernels;
#endif
} sfi_stream;

/* draw.c: z, or the uniform half-words, of elements first .. first+count-1. */
void sfi_draw(const sfi_stream* s, uint32_t distribution, uint32_t first, uint32_t count, int8_t* z);
void sfi_draw_halfwords(const sfi_stream* s, uint32_t first, uint32_t count, uint16_t* u);

#if SFI_X86
void sfi_directions_avx2(sfi_draw_kernels* kernels);
void sfi_directions_avx512(sfi_draw_kernels* kernels);
#endif
#if SFI_NEON
void sfi_directions_neon(sfi_draw_kernels* kernels);
#endif

#endif
