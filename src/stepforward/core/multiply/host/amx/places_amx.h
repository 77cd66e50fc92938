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

/* Positions that follow each other in a row of a grid: the rows of a tile that hold their sums, and their outputs. */
typedef struct sfi_run {
    uint32_t row, count;
    size_t at; /* first output of the first one */
} sfi_run;

/* What the sixteen rows of a tile are patches of. */
typedef struct sfi_places {
    const int16_t* patch; /* the first, which the others follow at the grid's distance, unless they lie apart */
    int apart;
    uint32_t runs;
    sfi_run run[SFI_SIDE];
    const int16_t* patches[SFI_SIDE]; /* where they lie apart */
} sfi_places;

/* Where in a grid the next sixteen begin: position x of row y. */
typedef struct sfi_way {
    const sfi_grid* grid;
    uint32_t x, y;
    uint32_t hop; /* patches from one row of the grid to the next, or 0: tiles do not go on over what lies between */
} sfi_way;

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

/* A tile that goes on over the end of a row also multiplies what lies between two rows, which takes less than copies of
 * its patches as long as that is not much. */
SFI_INLINE sfi_way sfi_way_start(const sfi_grid* g)
{
    const size_t hop = g->rows == 1 ? g->width : g->down / g->across;
    const int follow = g->rows == 1 || hop * g->across == g->down;
    const int few = hop >= g->width && 2 * (hop - g->width) <= g->width;
    const sfi_way w = {g, 0, 0, follow && few ? (uint32_t)hop : 0};
    return w;
}

/* Patches that do not follow each other at one distance. */
SFI_INLINE void sfi_places_apart(const sfi_grid* g, uint32_t x, uint32_t y, sfi_places* p)
{
    p->apart = 1;
    for (uint32_t r = 0, row = 0; row < SFI_SIDE; row++) {
        while (r + 1 < p->runs && row >= p->run[r + 1].row) {
            r++;
            x = 0;
            y++;
        }
        const uint32_t i = row - p->run[r].row;
        p->patches[row] = i < p->run[r].count ? g->patch + y * g->down + (x + i) * g->across : p->patch;
    }
}

/* The next positions of a row, from `row` of a tile on. */
SFI_INLINE sfi_run sfi_way_run(sfi_way* w, uint32_t row)
{
    const sfi_grid* g = w->grid;
    const sfi_run run = {row, sfi_min_u32(SFI_SIDE - row, g->width - w->x),
                         g->at + w->y * g->out_down + w->x * g->out_across};
    w->x += run.count;
    if (w->x == g->width) {
        w->x = 0;
        w->y++;
    }
    return run;
}

/* Where a row of the grid ends among the next sixteen. */
SFI_INLINE void sfi_places_turn(sfi_way* w, sfi_places* p)
{
    const sfi_grid* g = w->grid;
    const uint32_t x = w->x, y = w->y, between = w->hop > 0 ? w->hop - g->width : 0;
    uint32_t row = 0, end = 0, back;
    p->runs = 0;
    while (row < SFI_SIDE && w->y < g->rows) {
        const sfi_run run = sfi_way_run(w, row);
        p->run[p->runs++] = run;
        end = row + run.count;
        row = end + between;
    }
    /* The last sixteen end with the last position, for nothing may be read beyond it. */
    back = w->y == g->rows ? SFI_SIDE - end : 0;
    if (w->hop == 0 || (size_t)y * w->hop + x < back) {
        sfi_places_apart(g, x, y, p);
        return;
    }
    p->patch -= back * g->across;
    for (uint32_t r = 0; r < p->runs; r++)
        p->run[r].row += back;
}

/* Returns whether there is any. */
SFI_INLINE int sfi_places_next(sfi_way* w, sfi_places* p)
{
    const sfi_grid* g = w->grid;
    if (w->y == g->rows)
        return 0;
    p->patch = g->patch + w->y * g->down + w->x * g->across;
    p->apart = 0;
    if (g->width - w->x < SFI_SIDE) {
        sfi_places_turn(w, p);
        return 1;
    }
    p->runs = 1;
    p->run[0] = sfi_way_run(w, 0);
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

/* The outputs of a whole panel in which nothing is clamped, at rows `row` to before `end` of a tile. */
SFI_VNNI_INLINE void sfi_run_whole(const sfi_lanes* lanes, const int rounding, const sfi_sums* sums, const int planes,
                                   uint32_t row, uint32_t end, size_t across, int8_t* y)
{
    sfi_lanes l = *lanes;
    l.rounding = rounding;
    for (; row + 4 <= end; row += 4, y += 4 * across)
        _Pragma("GCC unroll 4") for (uint32_t i = 0; i < 4; i++) _mm_storeu_si128(
            (__m128i_u*)(void*)(y + i * across), sfi_lanes_saturated(&l, sfi_sums_at(&l, sums, planes, row + i)));
    for (; row < end; row++, y += across)
        _mm_storeu_si128((__m128i_u*)(void*)y, sfi_lanes_saturated(&l, sfi_sums_at(&l, sums, planes, row)));
}

/* The outputs of a panel at the positions of a run. What most panels need has loops of its own, without a branch at
 * every position. */
SFI_VNNI_INLINE void sfi_run_finish(const sfi_lanes* l, const sfi_sums* sums, const int planes, const sfi_run* run,
                                    size_t across, int8_t* y)
{
    const uint32_t end = run->row + run->count;
    y += run->at;
    if (l->count == SFI_PANEL && !l->clamps) {
        if (l->rounding == SFI_CONTRACT)
            sfi_run_whole(l, SFI_CONTRACT, sums, planes, run->row, end, across, y);
        else if (l->rounding == SFI_TWICE)
            sfi_run_whole(l, SFI_TWICE, sums, planes, run->row, end, across, y);
        else
            sfi_run_whole(l, SFI_FLOAT, sums, planes, run->row, end, across, y);
        return;
    }
    for (uint32_t row = run->row; row < end; row++, y += across) {
        int8_t few[SFI_PANEL];
        int8_t* out = l->count == SFI_PANEL ? y : few;
        _mm_storeu_si128((__m128i_u*)(void*)out, sfi_lanes_bytes(l, sfi_sums_at(l, sums, planes, row)));
        if (l->count < SFI_PANEL)
            sfi_store_count(few, l->count, y);
    }
}

/* The outputs of a panel at sixteen positions, whose sums are in one tile of every plane. */
SFI_VNNI_INLINE void sfi_places_finish(const sfi_lanes* lanes, const sfi_sums* sums, const int planes,
                                       const sfi_places* p, size_t across, int8_t* y)
{
    for (uint32_t r = 0; r < p->runs; r++)
        sfi_run_finish(lanes, sums, planes, p->run + r, across, y);
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
