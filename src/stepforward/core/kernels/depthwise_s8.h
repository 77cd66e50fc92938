/* What the plain and the fast depthwise kernels share. */
#ifndef SF_DEPTHWISE_S8_H
#define SF_DEPTHWISE_S8_H

#include "../internal.h"

/* The taps of one output position that lie inside the image: words and input of the first, and the way to the next. */
typedef struct sf_window {
    const int16_t* w;
    const int8_t* x;
    int32_t taps_y, taps_x;
    size_t w_row, w_step, x_row, x_step;
    int32_t zero;
} sf_window;

/* Sums of channels 0 .. count-1, in int32. */
typedef void (*sf_window_kernel)(const sf_window* window, uint32_t count, int32_t* acc);

/* Sums of channels first .. count-1, in plain C. */
void sf_window_sum(const sf_window* window, uint32_t first, uint32_t count, int32_t* acc);

/* NULL when this machine has no faster one. */
sf_window_kernel sf_window_x86(void);

#endif
