/* A tile of weight rows for hosts: where its parts lie. */
#include "base/guard.h"
#include "base/integers.h"
#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/host/host_tile.h"
#include "multiply/host/packed_rows.h"
#include "multiply/host/winograd.h"

static uint32_t round_up(uint32_t v, uint32_t to) { return (v + to - 1) / to * to; }

static uint64_t cache_lines(uint64_t bytes) { return (bytes + 63) & ~(uint64_t)63; }

static void shape(sfi_host_tile* t, uint32_t row_tile, const sfi_host_shape* shape)
{
    t->capacity = sfi_min_u32(row_tile, round_up(shape->rows, SFI_PANEL));
    t->segments = shape->segments;
    t->segment = shape->segment;
    t->bytes = shape->bytes;
    t->split = shape->split;
    t->winograd = shape->winograd;
    t->pairs = shape->bytes ? (shape->segment + 3) / 4 : (shape->segment + 1) / 2;
    t->few = shape->rows <= SFI_FEW_ROWS && !shape->bytes;
}

size_t sfi_host_plane_words(const sfi_host_tile* t) { return (size_t)t->segments * t->pairs * 2 * SFI_PANEL; }

/* A panel that may be transformed has room for its points. */
size_t sfi_host_panel_words(const sfi_host_tile* t)
{
    return t->winograd ? sfi_winograd_words(t->winograd, sfi_winograd_channels(t))
                       : sfi_host_plane_words(t) << t->split;
}

/* Words of few rows lie there twice; by fours they take no more than by pairs of a whole panel. */
uint64_t sfi_host_word_bytes(const sfi_host_tile* t)
{
    return (uint64_t)(t->capacity / SFI_PANEL + t->few) * sfi_host_panel_words(t) * sizeof(int16_t);
}

static uint64_t line_bytes(const sfi_host_tile* t)
{
    return cache_lines((uint64_t)SFI_PANEL * t->segments * t->segment * sizeof(int16_t));
}

static uint64_t point_bytes(const sfi_host_tile* t)
{
    return t->winograd ? sfi_host_panel_words(t) * sizeof(int16_t) : 0;
}

static uint64_t acc_bytes(const sfi_host_tile* t)
{
    return (uint64_t)SFI_BLOCK_PATCHES * t->capacity * sizeof(int64_t);
}

static uint64_t packed_bytes(const sfi_host_tile* t)
{
    return sfi_host_word_bytes(t) + SFI_GAP + sfi_packed_rows_bytes(t->capacity) + SFI_GAP;
}

/* A tile that is packed on the way, or one panel's rows for a twin: those are staged in 16 bits, also where words are
 * bytes. */
static uint64_t spare_bytes(const sfi_host_tile* t)
{
    const uint64_t packed = packed_bytes(t), line = line_bytes(t);
    return packed > line ? packed : line;
}

static uint64_t offset_bytes(const sfi_host_tile* t) { return cache_lines(t->segments * sizeof(size_t)); }

uint64_t sfi_host_tile_packed_bytes(uint32_t row_tile, const sfi_host_shape* of)
{
    sfi_host_tile t;
    shape(&t, row_tile, of);
    return packed_bytes(&t);
}

#define ROOMS 5u /* of working memory, in sfi_host_tile_open() */

uint64_t sfi_host_tile_bytes(uint32_t row_tile, const sfi_host_shape* of)
{
    sfi_host_tile t;
    shape(&t, row_tile, of);
    return spare_bytes(&t) + line_bytes(&t) + point_bytes(&t) + acc_bytes(&t) + offset_bytes(&t) +
           (uint64_t)ROOMS * SFI_GAP;
}

void sfi_host_tile_point(sfi_host_tile* t, void* packed)
{
    t->words = (int16_t*)packed;
    t->packed_rows = (sfi_packed_rows*)(void*)((uint8_t*)packed + (size_t)sfi_host_word_bytes(t) + SFI_GAP);
}

/* Lay a tile out in sfi_host_tile_bytes() of memory; the caller fills offsets. Returns what follows. */
uint8_t* sfi_host_tile_open(sfi_host_tile* t, const sfi_kernels* kernels, void* memory, uint32_t row_tile,
                            const sfi_host_shape* of)
{
    uint8_t* at = (uint8_t*)memory;
    shape(t, row_tile, of);
    t->spare = sfi_room(&at, spare_bytes(t));
    t->line = sfi_room(&at, line_bytes(t));
    t->points = sfi_room(&at, point_bytes(t));
    t->acc = sfi_room(&at, acc_bytes(t));
    t->offsets = sfi_room(&at, offset_bytes(t));
    t->kernels = kernels;
    t->low = 0;
    sfi_host_tile_point(t, t->spare);
    return at;
}

void sfi_host_tile_select(sfi_host_tile* t, void* packed)
{
    sfi_host_tile_point(t, packed);
    t->rows = t->packed_rows->rows;
    t->count = t->packed_rows->count;
}
