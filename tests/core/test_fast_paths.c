/* The fast paths against the plain kernels, with the largest weights and inputs there are. */
#include <string.h>

#include "check.h"
#include "internal.h"
#include "kernels/depthwise_s8.h"

static uint32_t state = 1;

static int32_t draw(int32_t lo, int32_t hi)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % 4 == 0 ? ((state >> 10) & 1 ? lo : hi) : lo + (int32_t)((state >> 8) % (uint32_t)(hi - lo + 1));
}

static void dots(void)
{
    static int16_t words[128 * 16 * 2], patches[4 * 256];
    int32_t plain[64], fast[64];
    const sf_dot kernel = sf_dot_4x16_x86();
    for (size_t pairs = 1; kernel != NULL && pairs <= 128; pairs++) {
        for (size_t i = 0; i < pairs * 32; i++)
            words[i] = (int16_t)draw(-32768, 32767);
        for (size_t i = 0; i < 8 * pairs; i++)
            patches[i] = (int16_t)draw(-255, 255);
        sf_dot_4x16(words, patches, 2 * pairs, pairs, plain, 16);
        kernel(words, patches, 2 * pairs, pairs, fast, 16);
        CHECK(memcmp(plain, fast, sizeof plain) == 0);
    }
}

static void windows(void)
{
    static int16_t w[16 * 100];
    static int8_t x[16 * 100];
    static int32_t plain[100], fast[100];
    const sf_window_kernel kernel = sf_window_x86();
    for (int trial = 0; kernel != NULL && trial < 500; trial++) {
        const uint32_t channels = (uint32_t)draw(1, 100);
        const sf_window v = {w, x, draw(0, 4), draw(1, 4), 4 * channels, channels, 4 * channels, channels, draw(-128, 127)};
        for (int i = 0; i < 1600; i++) {
            w[i] = (int16_t)draw(-32768, 32767);
            x[i] = (int8_t)draw(-128, 127);
        }
        sf_window_sum(&v, 0, channels, plain);
        kernel(&v, channels, fast);
        CHECK(memcmp(plain, fast, channels * sizeof *plain) == 0);
    }
}

int main(void)
{
    dots();
    windows();
    puts("fast paths: ok");
    return 0;
}
