/* The sums of a depthwise convolution at one position with the DSP instructions: four channels are widened by two
 * SXTAB16 and multiplied by SMLAxy straight from the halves. The rows are proven narrow, so no partial sum wraps. */
#include "base/machine.h"
#include "multiply/device/device.h"

#if SFI_DSP
#include <arm_acle.h>

static void sum_four(const sfi_device_window* v, uint32_t c, int32_t less, int32_t* acc)
{
    const int16_t* w_line = v->w + c;
    const int8_t* x_line = v->x + c;
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int32_t ky = 0; ky < v->taps_y; ky++, w_line += v->w_row, x_line += v->x_row) {
        const int16_t* w = w_line;
        const int8_t* x = x_line;
        for (int32_t kx = 0; kx < v->taps_x; kx++, w += v->w_step, x += v->x_step) {
            int32_t bytes, even, odd, w01, w23; /* unaligned */
            sfi_copy(&bytes, x, sizeof bytes);
            sfi_copy(&w01, w, sizeof w01);
            sfi_copy(&w23, w + 2, sizeof w23);
            __asm__("sxtab16 %0, %1, %2" : "=r"(even) : "r"(less), "r"(bytes));
            __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd) : "r"(less), "r"(bytes));
            s0 = __smlabb(w01, even, s0);
            s1 = __smlatb(w01, odd, s1);
            s2 = __smlabt(w23, even, s2);
            s3 = __smlatt(w23, odd, s3);
        }
    }
    acc[0] = s0;
    acc[1] = s1;
    acc[2] = s2;
    acc[3] = s3;
}

static int32_t sum_one(const sfi_device_window* v, uint32_t c)
{
    int32_t sum = 0;
    for (int32_t ky = 0; ky < v->taps_y; ky++)
        for (int32_t kx = 0; kx < v->taps_x; kx++)
            sum += v->w[(size_t)ky * v->w_row + (size_t)kx * v->w_step + c] *
                   (v->x[(size_t)ky * v->x_row + (size_t)kx * v->x_step + c] - v->zero);
    return sum;
}

void sfi_device_window_sum(const sfi_device_window* v, uint32_t count, int32_t* acc)
{
    const uint32_t half = (uint32_t)-v->zero & 0xffffu;
    uint32_t c = 0;
    for (; c + 4 <= count; c += 4)
        sum_four(v, c, (int32_t)(half << 16 | half), acc + c);
    for (; c < count; c++)
        acc[c] = sum_one(v, c);
}

#endif
