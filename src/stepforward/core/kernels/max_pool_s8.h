/* What the plain and the fast max pool share. */
#ifndef SF_MAX_POOL_S8_H
#define SF_MAX_POOL_S8_H

#include "../internal.h"

/* The taps of one output position that lie inside the image. */
typedef struct sf_max_window {
    const int8_t* x;
    int32_t taps_y, taps_x;
    size_t row, step; /* from one tap to the next */
    int8_t lo, hi;
} sf_max_window;

/* y[c] = the largest value of channel c, clamped, for channels first .. channels-1. */
typedef void (*sf_max_window_kernel)(const sf_max_window* window, uint32_t first, uint32_t channels, int8_t* y);

void sf_max_window_plain(const sf_max_window* window, uint32_t first, uint32_t channels, int8_t* y);
sf_max_window_kernel sf_max_window_x86(void); /* NULL when this machine has no faster one */

#endif
