/* The largest values of windows in plain C. */
#include "base/machine.h"
#include "multiply/max_line.h"

SFI_CLONES
void sfi_max_line_any(const sfi_max_line* v)
{
    const uint32_t channels = v->channels;
    for (uint32_t i = 0; i < v->positions; i++) {
        int8_t* y = v->y + (size_t)i * channels;
        for (uint32_t c = 0; c < channels; c++)
            y[c] = v->lo;
        for (int32_t ky = 0; ky < v->taps_y; ky++)
            for (int32_t kx = 0; kx < v->taps_x; kx++) {
                const int8_t* x = v->x + (size_t)i * v->stride + (size_t)ky * v->row + (size_t)kx * v->step;
                for (uint32_t c = 0; c < channels; c++)
                    y[c] = x[c] > y[c] ? x[c] : y[c];
            }
        for (uint32_t c = 0; c < channels; c++)
            y[c] = y[c] > v->hi ? v->hi : y[c];
    }
}
