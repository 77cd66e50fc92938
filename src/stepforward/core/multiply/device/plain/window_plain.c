/* The sums of a depthwise convolution at one position, in plain C. */
#include "base/machine.h"
#include "multiply/device/device.h"

#if !SFI_DSP && !SFI_MVE

void sfi_device_window_sum(const sfi_device_window* v, uint32_t count, int32_t* acc)
{
    for (uint32_t c = 0; c < count; c++) {
        const int16_t* w_line = v->w + c;
        const int8_t* x_line = v->x + c;
        int32_t sum = 0;
        for (int32_t ky = 0; ky < v->taps_y; ky++, w_line += v->w_row, x_line += v->x_row) {
            const int16_t* w = w_line;
            const int8_t* x = x_line;
            for (int32_t kx = 0; kx < v->taps_x; kx++, w += v->w_step, x += v->x_step)
                sum += *w * (*x - v->zero);
        }
        acc[c] = sum;
    }
}

#endif
