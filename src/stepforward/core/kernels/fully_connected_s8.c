/* Fully connected: reads its input flat, whatever its shape; output s8 or s16. */
#include "device.h"

void sf_fully_connected_s8(const sf_call* call)
{
    if (call->row_tile == SF_DEVICE_ROWS) {
        sf_fully_connected_s8_device(call);
        return;
    }
    const uint32_t rows = (uint32_t)call->out->elements, length = (uint32_t)call->in->elements;
    const int8_t* x = (const int8_t*)call->x;
    sf_tile tile;
    sf_tile_open(&tile, call->work, call->row_tile, rows, length);
    for (uint32_t r = 0; r < rows; r += tile.capacity) {
        sf_tile_stage(&tile, call, r, sf_min_u32(tile.capacity, rows - r));
        for (uint32_t s = 0; s < call->n; s += tile.patch_count) {
            const uint32_t count = sf_min_u32(tile.patch_count, call->n - s);
            sf_tile_patches(&tile, x + (size_t)s * length, count, call->in->zero_point);
            sf_tile_multiply(&tile, count, call->y, (size_t)s * rows + r, rows);
        }
    }
}
