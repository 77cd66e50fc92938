/* Tile registers of AMX: eight matrices of at most sixteen rows of 64 bytes, and the products of their bytes. */
#ifndef SFI_TILES_H
#define SFI_TILES_H

#include <stdint.h>

#include "base/machine.h"

#if SFI_X86
#include <immintrin.h> /* or what tests have in its place */

#define SFI_SIDE 16u       /* rows of a tile, and its words */
#define SFI_TILE_BYTES 64u /* of a row */

/* What LDTILECFG reads. */
typedef struct sfi_tile_shapes {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} sfi_tile_shapes;

/* Whether this machine has tiles and the system lets this process use them: the system is asked every time. */
int sfi_has_tiles(void);

/* The compiler's own intrinsics do not say that they read memory. Tests put functions in their place. */
#if !defined(SFI_TILE_LOAD)
#define SFI_TILE_SHAPES(shapes) __asm__ volatile("ldtilecfg %0" : : "m"(*(shapes)))
#define SFI_TILE_RELEASE() __asm__ volatile("tilerelease")
#define SFI_TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t : :)
#define SFI_TILE_LOAD(t, from, stride) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"(from), "r"((int64_t)(stride)) : "memory")
#define SFI_TILE_STORE(t, to, stride) \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"(to), "r"((int64_t)(stride)) : "memory")
/* sum[m][n] += the four products of unsigned bytes in a[m][k] and signed ones in b[k][n], for every k. */
#define SFI_TILE_PRODUCT(sum, a, b) __asm__ volatile("tdpbusd %%tmm" #b ", %%tmm" #a ", %%tmm" #sum : :)
/* The same where both are unsigned. */
#define SFI_TILE_PRODUCT_UNSIGNED(sum, a, b) __asm__ volatile("tdpbuud %%tmm" #b ", %%tmm" #a ", %%tmm" #sum : :)
#endif

#endif
#endif
