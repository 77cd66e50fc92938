/* Weights of 16 bits with AMX, a byte at a time: w = 256*upper + lower, and so are the sums, modulo 2^32. Registers 0
 * and 1 hold the sums of upper bytes, 2 and 3 those of lower ones, of two places and a panel or of one and two. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/amx/amx.h"
#include "multiply/host/amx/places_amx.h"
#include "multiply/host/amx/tiles.h"
#include "multiply/host/avx512/lanes_avx512.h"
#include "multiply/host/block.h"
#include "multiply/host/grid.h"
#include "multiply/rows.h"

#if SFI_X86

#define LOAD_X(i) SFI_PART_LOAD_PATCHES(k, p + (i), copy, stride)
#define LOAD_W(offset) SFI_PART_LOAD_W(k, k->words + (offset))
#define UPPER(sum) SFI_PART_PRODUCT(k, SFI_TILE_PRODUCT, sum)
#define LOWER(sum) SFI_PART_PRODUCT(k, SFI_TILE_PRODUCT_UNSIGNED, sum)
#define MULTIPLY \
    do { \
        LOAD_X(0); \
        LOAD_W(plane); \
        LOWER(2); \
        if (panels == 2) { \
            LOAD_W(plane + panel); \
            LOWER(3); \
            LOAD_W(panel); \
            UPPER(1); \
            LOAD_W(0); \
            UPPER(0); \
        } else if (count > 1) { \
            LOAD_X(1); \
            LOWER(3); \
            LOAD_W(0); \
            UPPER(1); \
            LOAD_X(0); \
            UPPER(0); \
        } else { \
            LOAD_W(0); \
            UPPER(0); \
        } \
    } while (0)

SFI_VNNI_INLINE void multiply(const sfi_block* b, size_t plane, const sfi_places* p, uint32_t count, const int panels,
                              size_t stride, sfi_sums* sums)
{
    uint8_t copy[SFI_SIDE][SFI_TILE_BYTES] __attribute__((aligned(SFI_TILE_BYTES)));
    const size_t panel = b->panel;
    sfi_part part = sfi_part_first(b), *k = &part;
    SFI_TILE_EVERY_PART(b, k, MULTIPLY, sums);
}

SFI_VNNI_INLINE void finish(const sfi_lanes* l, const sfi_sums* sums, const sfi_places* p, size_t across, size_t offset)
{
    const sfi_lanes kept = *l; /* bytes that are written might change *l, for all the compiler knows */
    if (l->count < SFI_PANEL || l->clamps)
        sfi_tile_finish_any(l, sums, 2, 0, SFI_SIDE, p, across, offset);
    else if (l->rounding == SFI_CONTRACT)
        sfi_tile_finish(&kept, SFI_CONTRACT, sums, 2, 0, SFI_SIDE, p, across, offset);
    else if (l->rounding == SFI_TWICE)
        sfi_tile_finish(&kept, SFI_TWICE, sums, 2, 0, SFI_SIDE, p, across, offset);
    else
        sfi_tile_finish(&kept, SFI_FLOAT, sums, 2, 0, SFI_SIDE, p, across, offset);
}

SFI_VNNI_INLINE void run_grid(const sfi_block* b, size_t plane, const sfi_grid* grid, const sfi_lanes* lanes,
                              const int panels, int8_t* y)
{
    sfi_sums sums[SFI_TILE_SUMS] __attribute__((aligned(SFI_TILE_BYTES)));
    sfi_places p[2];
    sfi_way way;
    uint32_t count;
    sfi_way_start(&way, grid, y);
    while ((count = sfi_places_some(&way, panels == 1 ? 2 : 1, p)) > 0) {
        multiply(b, plane, p, count, panels, grid->across * sizeof(int16_t), sums);
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t j = 0; j < (uint32_t)panels; j++)
                finish(lanes + j, sums + i + j, p + i, grid->out_across, j * SFI_PANEL);
    }
}

SFI_VNNI void sfi_grid_split_amx(const sfi_block* block, size_t plane, const sfi_grid* grid, const sfi_rows* rows,
                                 uint32_t count, int8_t* y)
{
    sfi_block b = *block;
    for (uint32_t r = 0; r < count; r += 2 * SFI_PANEL, b.words += 2 * b.panel) {
        const uint32_t left = count - r;
        const sfi_lanes lanes[2] = {sfi_lanes_load(rows, r, left),
                                    left > SFI_PANEL ? sfi_lanes_load(rows, r + SFI_PANEL, left - SFI_PANEL)
                                                     : sfi_lanes_load(rows, r, left)};
        if (left > SFI_PANEL)
            run_grid(&b, plane, grid, lanes, 2, y + r);
        else
            run_grid(&b, plane, grid, lanes, 1, y + r);
    }
}

/* Half of the sixteen patches are there twice. */
SFI_VNNI void sfi_block_split_amx(const sfi_block* block, size_t plane, const int16_t* const* patches, uint32_t panels,
                                  int32_t* acc[2], size_t acc_stride)
{
    sfi_sums sums[SFI_TILE_SUMS] __attribute__((aligned(SFI_TILE_BYTES)));
    sfi_places p[1];
    sfi_block b = *block;
    p[0].apart = 1;
    for (uint32_t q = 0; q < SFI_BLOCK_PATCHES; q++)
        p[0].patches[q] = p[0].patches[SFI_BLOCK_PATCHES + q] = patches[q];
    for (uint32_t j = 0; j < panels; j++, b.words += b.panel) {
        multiply(&b, plane, p, 1, 1, 0, sums);
        for (uint32_t q = 0; q < SFI_BLOCK_PATCHES; q++)
            for (uint32_t i = 0; i < 2; i++)
                sfi_copy(acc[i] + q * acc_stride + j * SFI_PANEL, sums[2 * i][q], sizeof sums[0][0]);
    }
}

#endif
