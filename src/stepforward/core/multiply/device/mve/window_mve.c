/* The sums of a depthwise convolution at one position with Helium: eight channels, the even and the odd ones apart. The
 * rows are proven narrow, so no partial sum wraps. */
#include "base/machine.h"
#include "multiply/device/device.h"

#if SFI_MVE

static void sum_eight(const sfi_device_window* v, uint32_t c, uint32_t count, int32_t* acc)
{
    const mve_pred16_t lanes = vctp16q(count);
    const int16x8_t zero = vdupq_n_s16((int16_t)v->zero);
    const int16_t* w_line = v->w + c;
    const int8_t* x_line = v->x + c;
    int32x4_t even = vdupq_n_s32(0), odd = even;
    for (int32_t ky = 0; ky < v->taps_y; ky++, w_line += v->w_row, x_line += v->x_row) {
        const int16_t* w = w_line;
        const int8_t* x = x_line;
        for (int32_t kx = 0; kx < v->taps_x; kx++, w += v->w_step, x += v->x_step) {
            const int16x8_t a = vldrhq_z_s16(w, lanes), b = vsubq_s16(vldrbq_z_s16(x, lanes), zero);
            even = vaddq_s32(even, vmullbq_int_s16(a, b));
            odd = vaddq_s32(odd, vmulltq_int_s16(a, b));
        }
    }
    int32x4x2_t both = {{even, odd}};
    int32_t sums[8];
    vst2q_s32(sums, both);
    for (uint32_t i = 0; i < count && i < 8; i++)
        acc[c + i] = sums[i];
}

void sfi_device_window_sum(const sfi_device_window* v, uint32_t count, int32_t* acc)
{
    for (uint32_t c = 0; c < count; c += 8)
        sum_eight(v, c, count - c, acc);
}

#endif
