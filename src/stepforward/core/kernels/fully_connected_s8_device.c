/* Fully connected on a device: every weight is used once per sample, so it is read where it lies if it may be. */
#include "device.h"

void sf_fully_connected_s8_device(const sf_call* call)
{
    const uint32_t rows = (uint32_t)call->out->elements, length = (uint32_t)call->in->elements;
    const int8_t* x = (const int8_t*)call->x;
    sf_device_tile tile;
    sf_device_tile_open(&tile, call->work, length);
    for (uint32_t r = 0; r < rows; r += SF_DEVICE_ROWS) {
        sf_device_tile_stage(&tile, call, r, sf_min_u32(SF_DEVICE_ROWS, rows - r), call->n);
        for (uint32_t s = 0; s < call->n; s++) {
            if (r == 0 || call->n > 1)
                sf_widen_patch(x + (size_t)s * length, length, call->in->zero_point, tile.patch);
            sf_device_tile_multiply(&tile, call->y, (size_t)s * rows + r);
        }
    }
}
