/* Widening with the DSP instructions: four bytes become two pairs of s16, zero point and all, in five instructions. */
#include "device.h"

#if SF_DSP

void sf_widen_patch(const int8_t* x, uint32_t count, int32_t zero, int16_t* out)
{
    const uint32_t less = ((uint32_t)-zero & 0xffffu) | ((uint32_t)-zero << 16);
    const int8_t* end = x + (count & ~3u);
    while (x != end) {
        uint32_t bytes, even, odd, pairs[2];
        sf_copy(&bytes, x, sizeof bytes); /* unaligned */
        x += 4;
        __asm__("sxtab16 %0, %1, %2" : "=r"(even) : "r"(less), "r"(bytes));
        __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd) : "r"(less), "r"(bytes));
        __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pairs[0]) : "r"(even), "r"(odd));
        __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pairs[1]) : "r"(odd), "r"(even));
        sf_copy(out, pairs, sizeof pairs);
        out += 4;
    }
    for (count &= 3u; count > 0; count--)
        *out++ = (int16_t)(*x++ - zero);
}

#endif
