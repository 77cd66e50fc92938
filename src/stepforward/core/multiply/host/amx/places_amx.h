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

#define SFI_TILE_SUMS 4u /* tiles of sums */

/* Sums of a tile: of sixteen patches with sixteen rows. */
typedef int32_t sfi_sums[SFI_SIDE][SFI_SIDE];

/* What the sixteen rows of a tile are patches of, and where their outputs go. */
typedef struct sfi_places {
    const int16_t* patch; /* the first, which the others follow at the grid's distance, unless they lie apart */
    int apart;
    const int16_t* patches[SFI_SIDE]; /* where they lie apart */
    int8_t* out[SFI_SIDE];            /* of the first panel; of rows that are no position, room that nobody reads */
    int8_t* first;                    /* where outputs follow each other at the grid's distance, else NULL */
} sfi_places;

/* Where in a grid the next sixteen begin: position x of row y. */
typedef struct sfi_way {
    const sfi_grid* grid;
    uint32_t x, y;
    uint32_t hop; /* patches from one row of the grid to the next, or 0: tiles do not go on over what lies between */
    int8_t* out;  /* what grid->at counts from */
    int8_t unread[SFI_BLOCK_PANELS * SFI_PANEL];
} sfi_way;

/* A tile that goes on over the end of a row also multiplies what lies between two rows, which takes less than copies of
 * its patches as long as that is not much. */
SFI_INLINE void sfi_way_start(sfi_way* w, const sfi_grid* g, int8_t* out)
{
    const size_t hop = g->rows == 1 ? g->width : g->down / g->across;
    const int follow = g->rows == 1 || hop * g->across == g->down;
    const int few = hop >= g->width && 2 * (hop - g->width) <= g->width;
    w->grid = g;
    w->x = w->y = 0;
    w->hop = follow && few ? (uint32_t)hop : 0;
    w->out = out;
}

/* Goes on by `count` positions of a row of the grid. Returns the first one's first output. */
SFI_INLINE int8_t* sfi_way_on(sfi_way* w, uint32_t count)
{
    const sfi_grid* g = w->grid;
    int8_t* out = w->out + g->at + w->y * g->out_down + w->x * g->out_across;
    w->x += count;
    if (w->x == g->width) {
        w->x = 0;
        w->y++;
    }
    return out;
}

/* Up to `most` positions of a row of the grid. Returns how many. */
SFI_INLINE uint32_t sfi_way_run(sfi_way* w, uint32_t most, int8_t** out)
{
    const sfi_grid* g = w->grid;
    const uint32_t count = sfi_min_u32(most, g->width - w->x);
    int8_t* to = sfi_way_on(w, count);
    for (uint32_t i = 0; i < count; i++)
        out[i] = to + i * g->out_across;
    return count;
}

/* Patches that do not follow each other at one distance. */
SFI_INLINE void sfi_places_apart(sfi_way* w, sfi_places* p)
{
    const sfi_grid* g = w->grid;
    uint32_t row = 0;
    p->apart = 1;
    while (row < SFI_SIDE && w->y < g->rows) {
        const int16_t* patch = g->patch + w->y * g->down + w->x * g->across;
        const uint32_t count = sfi_way_run(w, SFI_SIDE - row, p->out + row);
        for (uint32_t i = 0; i < count; i++)
            p->patches[row + i] = patch + i * g->across;
        row += count;
    }
    for (; row < SFI_SIDE; row++) {
        p->patches[row] = p->patch;
        p->out[row] = w->unread;
    }
}

/* Where a row of the grid ends among the next sixteen. */
SFI_INLINE void sfi_places_turn(sfi_way* w, sfi_places* p)
{
    const sfi_grid* g = w->grid;
    /* The last sixteen end with the last position, for nothing may be read beyond it. */
    const size_t at = (size_t)w->y * w->hop + w->x, all = (size_t)(g->rows - 1) * w->hop + g->width;
    const uint32_t back = all - at < SFI_SIDE ? SFI_SIDE - (uint32_t)(all - at) : 0;
    uint32_t row = back;
    if (w->hop == 0 || at < back) {
        sfi_places_apart(w, p);
        return;
    }
    for (uint32_t i = 0; i < SFI_SIDE; i++)
        p->out[i] = w->unread;
    while (row < SFI_SIDE && w->y < g->rows)
        row += sfi_way_run(w, SFI_SIDE - row, p->out + row) + (w->x == 0 ? w->hop - g->width : 0);
    p->patch -= back * g->across;
}

/* Returns whether there is any. */
SFI_INLINE int sfi_places_next(sfi_way* w, sfi_places* p)
{
    const sfi_grid* g = w->grid;
    if (w->y == g->rows)
        return 0;
    p->patch = g->patch + w->y * g->down + w->x * g->across;
    p->apart = 0;
    p->first = NULL;
    if (g->width - w->x < SFI_SIDE)
        sfi_places_turn(w, p);
    else
        p->first = sfi_way_on(w, SFI_SIDE);
    return 1;
}

/* The next `most` sixteens or less. Returns how many. */
SFI_INLINE uint32_t sfi_places_some(sfi_way* w, uint32_t most, sfi_places* p)
{
    uint32_t count = 0;
    while (count < most && sfi_places_next(w, p + count))
        count++;
    return count;
}

/* `bytes` of each of sixteen patches, from word `at` on. */
SFI_VNNI_INLINE const void* sfi_patches_of(const sfi_places* p, size_t at, uint32_t bytes,
                                           uint8_t (*copy)[SFI_TILE_BYTES])
{
    const __mmask64 used = bytes >= SFI_TILE_BYTES ? ~(uint64_t)0 : ((uint64_t)1 << bytes) - 1;
    if (!p->apart)
        return p->patch + at;
    for (uint32_t i = 0; i < SFI_SIDE; i++)
        _mm512_store_si512(copy[i], _mm512_maskz_loadu_epi8(used, p->patches[i] + at));
    return copy;
}

/* The sums of sixteen rows at a position. planes: 1, or 2 where these are of upper bytes and those of lower ones lie
 * two tiles further. */
SFI_VNNI_INLINE __m512i sfi_sums_at(const sfi_lanes* l, const sfi_sums* sums, const int planes, uint32_t row)
{
    __m512i acc = _mm512_load_si512(sums[0][row]);
    if (planes == 2)
        acc = _mm512_add_epi32(_mm512_slli_epi32(acc, 8), _mm512_load_si512(sums[SFI_TILE_SUMS / 2][row]));
    return _mm512_add_epi32(acc, l->bias);
}

SFI_VNNI_INLINE __m128i sfi_tile_outputs(const sfi_lanes* l, const int rounding, const sfi_sums* sums, const int planes,
                                         uint32_t row)
{
    return _mm512_cvtsepi32_epi8(sfi_lanes_rounded(l, rounding, sfi_sums_at(l, sums, planes, row)));
}

SFI_VNNI_INLINE void sfi_put_panel(int8_t* to, __m128i outputs) { _mm_storeu_si128((__m128i_u*)(void*)to, outputs); }

/* In place of a rounding (base/rounding.h): any, and panels that are not full or clamp. */
#define SFI_ANY_ROUNDING (-1)

/* The outputs of any panel, at rows `row` to before `end` of a tile. */
SFI_VNNI_INLINE void sfi_tile_finish_any(const sfi_lanes* l, const sfi_sums* sums, const int planes, uint32_t row,
                                         uint32_t end, const sfi_places* p, size_t across, size_t offset)
{
    for (; row < end; row++) {
        int8_t few[SFI_PANEL];
        int8_t* out = (p->first != NULL ? p->first + row * across : p->out[row]) + offset;
        int8_t* to = l->count == SFI_PANEL ? out : few;
        sfi_put_panel(to, sfi_lanes_bytes(l, sfi_sums_at(l, sums, planes, row)));
        if (l->count < SFI_PANEL)
            sfi_store_count(few, l->count, out);
    }
}

/* The same of a whole panel in which nothing is clamped, of an even number of rows; or, by SFI_ANY_ROUNDING, of any.
 * Addresses that are not read from memory first let the loads of the next tiles begin earlier. */
SFI_VNNI_INLINE void sfi_tile_finish(const sfi_lanes* l, const int rounding, const sfi_sums* sums, const int planes,
                                     uint32_t row, uint32_t end, const sfi_places* p, size_t across, size_t offset)
{
    int8_t* to;
    if (rounding == SFI_ANY_ROUNDING) {
        sfi_tile_finish_any(l, sums, planes, row, end, p, across, offset);
        return;
    }
    if (p->first == NULL) {
        for (; row < end; row++)
            sfi_put_panel(p->out[row] + offset, sfi_tile_outputs(l, rounding, sums, planes, row));
        return;
    }
    to = p->first + row * across + offset;
    _Pragma("GCC unroll 1") for (; row < end; row += 2, to += 2 * across)
    {
        sfi_put_panel(to, sfi_tile_outputs(l, rounding, sums, planes, row));
        sfi_put_panel(to + across, sfi_tile_outputs(l, rounding, sums, planes, row + 1));
    }
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

/* Every part of every segment in turn is *k, and MULTIPLY adds its products to registers 0 .. 3. A macro, for registers
 * have no numbers at run time. */
#define SFI_TILE_EVERY_PART(b, k, MULTIPLY, sums) \
    do { \
        SFI_TILE_ZERO(0); \
        SFI_TILE_ZERO(1); \
        SFI_TILE_ZERO(2); \
        SFI_TILE_ZERO(3); \
        for (size_t s = 0; s < (b)->segments; s++) \
            for (uint32_t done = 0; done < (b)->pairs * 4; done += (k)->bytes) { \
                sfi_part_next(k, b, s, done); \
                MULTIPLY; \
            } \
        SFI_TILE_STORE(0, (sums)[0], SFI_TILE_BYTES); \
        SFI_TILE_STORE(1, (sums)[1], SFI_TILE_BYTES); \
        SFI_TILE_STORE(2, (sums)[2], SFI_TILE_BYTES); \
        SFI_TILE_STORE(3, (sums)[3], SFI_TILE_BYTES); \
    } while (0)

/* What a part is loaded into, and its products: registers 4 and 5 are of whole parts, 6 and 7 of the rest of a segment
 * (shapes_amx.c). */
#define SFI_PART_LOAD(k, WHOLE, REST, from, stride) \
    do { \
        if ((k)->bytes == SFI_TILE_BYTES) \
            SFI_TILE_LOAD(WHOLE, from, stride); \
        else \
            SFI_TILE_LOAD(REST, from, stride); \
    } while (0)
#define SFI_PART_LOAD_X(k, from, stride) SFI_PART_LOAD(k, 4, 6, from, stride)
#define SFI_PART_LOAD_PATCHES(k, place, copy, stride) \
    do { \
        const void* from = sfi_patches_of(place, (k)->at, (k)->bytes, copy); \
        const size_t to_next = (place)->apart ? SFI_TILE_BYTES : (stride); \
        SFI_PART_LOAD_X(k, from, to_next); \
    } while (0)
#define SFI_PART_LOAD_W(k, from) SFI_PART_LOAD(k, 5, 7, from, SFI_TILE_BYTES)
#define SFI_PART_PRODUCT(k, PRODUCT, sum) \
    do { \
        if ((k)->bytes == SFI_TILE_BYTES) \
            PRODUCT(sum, 4, 5); \
        else \
            PRODUCT(sum, 6, 7); \
    } while (0)

#endif
#endif
