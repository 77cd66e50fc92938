/* 8-bit weights with VPDPBUSD: four products per lane. */
#include "dot_avx512.h"

#if SF_X86

SF_VNNI static void one(const sf_block* b, const int16_t* const* patches, int32_t* acc, size_t acc_stride)
{
    sf_dot_store(b, patches, 1, 1, acc, acc_stride);
}

SF_VNNI static void two(const sf_block* b, const int16_t* const* patches, int32_t* acc, size_t acc_stride)
{
    sf_dot_store(b, patches, 2, 1, acc, acc_stride);
}

SF_VNNI static void three(const sf_block* b, const int16_t* const* patches, int32_t* acc, size_t acc_stride)
{
    sf_dot_store(b, patches, 3, 1, acc, acc_stride);
}

void sf_block_bytes_vnni(const sf_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    (panels == 1 ? one : panels == 2 ? two : three)(b, patches, acc, acc_stride);
}

SF_VNNI static void finish_one(const sf_block* b, const sf_grid* g, const sf_lanes* l, int8_t* y) { sf_dot_finish(b, g, l, 1, 1, y); }
SF_VNNI static void finish_two(const sf_block* b, const sf_grid* g, const sf_lanes* l, int8_t* y) { sf_dot_finish(b, g, l, 2, 1, y); }
SF_VNNI static void finish_three(const sf_block* b, const sf_grid* g, const sf_lanes* l, int8_t* y) { sf_dot_finish(b, g, l, 3, 1, y); }

SF_VNNI void sf_grid_bytes_vnni(const sf_block* b, const sf_grid* grid, const sf_rows* rows, uint32_t count, int8_t* y)
{
    sf_lanes lanes[SF_BLOCK_PANELS];
    uint32_t panels = 0;
    for (uint32_t r = 0; r < count; r += SF_PANEL)
        lanes[panels++] = sf_lanes_load(rows, r, count - r);
    (panels == 1 ? finish_one : panels == 2 ? finish_two : finish_three)(b, grid, lanes, y);
}

#endif
