/* Bytes become s16 without their zero point, four in five DSP instructions. */
#include "base/machine.h"
#include "multiply/device/device.h"

#if SFI_DSP

static void widen(const int8_t* x, uint32_t count, uint32_t less, int16_t* out)
{
    const int8_t* end = x + (count & ~3u);
    while (x != end) {
        uint32_t bytes, even, odd, low, high; /* unaligned */
        sfi_copy(&bytes, x, sizeof bytes);
        __asm__("sxtab16 %0, %1, %2" : "=r"(even) : "r"(less), "r"(bytes));
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd) : "r"(less), "r"(bytes));
        __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(low) : "r"(even), "r"(odd));
        __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(high) : "r"(odd), "r"(even));
        sfi_copy(out, &low, sizeof low);
        sfi_copy(out + 2, &high, sizeof high);
        x += 4;
        out += 4;
    }
    for (count &= 3u; count > 0; count--)
        *out++ = (int16_t)(*x++ + (int16_t)less);
}

void sfi_widen_runs(const sfi_widening* how, const int8_t* x, int16_t* out)
{
    const size_t x_step = how->x_step, out_step = how->out_step;
    const uint32_t count = how->count, half = (uint32_t)-how->zero & 0xffffu;
    for (uint32_t runs = how->runs; runs > 0; runs--, x += x_step, out += out_step)
        widen(x, count, half << 16 | half, out);
}

#endif
