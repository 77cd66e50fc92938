/* Sixteen positions at a time through tile registers: what the kernels for AMX share. */
#ifndef SFI_PLACES_AMX_H
#define SFI_PLACES_AMX_H

#include "base/integers.h"
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/amx/tiles.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SFI_X86

#define SFI_SIDE 16u       /* rows of a tile, and its words */
#define SFI_TILE_BYTES 64u /* of a row */
#define SFI_TILE_SUMS 4u   /* tiles of sums */

/* Sums of a tile: of sixteen patches with sixteen rows. */
typedef int32_t sfi_sums[SFI_SIDE][SFI_SIDE];

/* Sixteen positions of a grid. */
typedef struct sfi_places {
    sfi_eight eight[2];
    int apart; /* whether their patches do not follow each other at one distance */
} sfi_places;

/* Which registers: sums are 0 .. 3. */
#define SFI_WHOLE_X 4
#define SFI_WHOLE_W 5
#define SFI_REST_X 6
#define SFI_REST_W 7

/* The rest of a segment, less than 64 bytes, has tiles of its own shape. */
SFI_VNNI_INLINE void sfi_tiles_shape(const sfi_block* b)
{
    const uint32_t rest = (uint32_t)b->pairs * 4 % SFI_TILE_BYTES;
    sfi_tile_shapes s;
    sfi_fill(&s, 0, sizeof s);
    s.palette = 1;
    for (uint32_t t = 0; t < 8; t++) {
        s.row_bytes[t] = SFI_TILE_BYTES;
        s.rows[t] = SFI_SIDE;
    }
    if (rest > 0) {
        s.row_bytes[SFI_REST_X] = (uint16_t)rest;
        s.rows[SFI_REST_W] = (uint8_t)(rest / 4);
    }
    SFI_TILE_SHAPES(&s);
}

/* Returns whether there is any. */
SFI_INLINE int sfi_places_next(sfi_cursor* cursor, sfi_places* p)
{
    const size_t across = cursor->grid->across;
    if (sfi_grid_next(cursor, &p->eight[0]) == 0)
        return 0;
    if (sfi_grid_next(cursor, &p->eight[1]) == 0) {
        p->eight[1] = p->eight[0];
        p->eight[1].count = 0;
    }
    p->apart = p->eight[1].count < SFI_BLOCK_PATCHES ||
               p->eight[1].patches[7] != p->eight[0].patches[0] + (SFI_SIDE - 1) * across;
    return 1;
}

/* The next `most` sixteens or less, filled up with the first. Returns how many. */
SFI_INLINE uint32_t sfi_places_some(sfi_cursor* cursor, uint32_t most, sfi_places* p)
{
    uint32_t count = 0;
    while (count < most && sfi_places_next(cursor, p + count))
        count++;
    for (uint32_t i = count; i < most; i++)
        p[i] = p[0];
    return count;
}

/* `bytes` of each of sixteen patches, from word `at` on. */
SFI_VNNI_INLINE const void* sfi_patches_of(const sfi_places* p, size_t at, uint32_t bytes,
                                           uint8_t (*copy)[SFI_TILE_BYTES])
{
    const __mmask64 used = bytes >= SFI_TILE_BYTES ? ~(uint64_t)0 : ((uint64_t)1 << bytes) - 1;
    if (!p->apart)
        return p->eight[0].patches[0] + at;
    for (uint32_t i = 0; i < SFI_SIDE; i++)
        _mm512_store_si512(copy[i], _mm512_maskz_loadu_epi8(used, p->eight[i / 8].patches[i % 8] + at));
    return copy;
}

/* The outputs of a panel at eight positions. What most panels need comes first, without a branch at every position. */
SFI_VNNI_INLINE void sfi_sums_finish(const sfi_lanes* lanes, const __m512i sums[SFI_BLOCK_PATCHES],
                                     const sfi_eight* eight, int8_t* y)
{
    const sfi_lanes l = *lanes;
    sfi_panel_outputs few;
    if (l.count == SFI_PANEL && !l.clamps && l.rounding == SFI_CONTRACT) {
        _Pragma("GCC unroll 8") for (uint32_t i = 0; i < SFI_BLOCK_PATCHES; i++) _mm_storeu_si128(
            (__m128i_u*)(void*)(y + eight->at[i]), sfi_lanes_saturated(&l, _mm512_add_epi32(sums[i], l.bias)));
        return;
    }
    for (uint32_t i = 0; i < SFI_BLOCK_PATCHES; i++) {
        int8_t* out = l.count == SFI_PANEL ? y + eight->at[i] : few[i];
        _mm_storeu_si128((__m128i_u*)(void*)out, sfi_lanes_bytes(&l, _mm512_add_epi32(sums[i], l.bias)));
    }
    if (l.count < SFI_PANEL)
        sfi_store_few(few, l.count, y, eight->at);
}

/* Where some bytes of every patch and the words that they meet lie. */
typedef struct sfi_part {
    size_t at;            /* in a patch, in words of the band */
    const int16_t* words; /* of the first panel */
    uint32_t bytes;
} sfi_part;

SFI_INLINE sfi_part sfi_part_first(const sfi_block* b)
{
    const sfi_part p = {0, b->words, 0};
    return p;
}

/* The part of segment s from byte `done` on, after the one before it. */
SFI_INLINE void sfi_part_next(sfi_part* p, const sfi_block* b, size_t s, uint32_t done)
{
    p->words += p->bytes / 4 * 2 * SFI_PANEL;
    p->at = b->offsets[s] + done / 2;
    p->bytes = sfi_min_u32(SFI_TILE_BYTES, (uint32_t)b->pairs * 4 - done);
}

/* Every part of every segment in turn is *k, and MULTIPLY(x, w) adds its products to registers 0 .. 3 through x and w.
 * A macro, for registers have no numbers at run time. */
#define SFI_TILE_EVERY_PART(b, k, MULTIPLY, sums) \
    do { \
        SFI_TILE_ZERO(0); \
        SFI_TILE_ZERO(1); \
        SFI_TILE_ZERO(2); \
        SFI_TILE_ZERO(3); \
        for (size_t s = 0; s < (b)->segments; s++) \
            for (uint32_t done = 0; done < (b)->pairs * 4; done += (k)->bytes) { \
                sfi_part_next(k, b, s, done); \
                if ((k)->bytes == SFI_TILE_BYTES) \
                    MULTIPLY(SFI_WHOLE_X, SFI_WHOLE_W); \
                else \
                    MULTIPLY(SFI_REST_X, SFI_REST_W); \
            } \
        SFI_TILE_STORE(0, (sums)[0], SFI_TILE_BYTES); \
        SFI_TILE_STORE(1, (sums)[1], SFI_TILE_BYTES); \
        SFI_TILE_STORE(2, (sums)[2], SFI_TILE_BYTES); \
        SFI_TILE_STORE(3, (sums)[3], SFI_TILE_BYTES); \
    } while (0)

#endif
#endif
