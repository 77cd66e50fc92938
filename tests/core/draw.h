/* Numbers for tests: the same every time, and a quarter of them at the ends of their range. */
#ifndef DRAW_H
#define DRAW_H

#include <stdint.h>

static uint32_t state = 1;

static int32_t draw(int32_t lo, int32_t hi)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % 4 == 0 ? ((state >> 10) & 1 ? lo : hi)
                                 : lo + (int32_t)((state >> 8) % (uint32_t)(hi - lo + 1));
}

#endif
