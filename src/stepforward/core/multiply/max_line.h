/* The largest values of windows side by side. */
#ifndef SFI_MAX_LINE_H
#define SFI_MAX_LINE_H

#include <stddef.h>
#include <stdint.h>

/* Output positions side by side whose windows have the same taps inside the image. */
typedef struct sfi_max_line {
    const int8_t* x; /* first tap of the first position */
    int8_t* y;
    uint32_t positions, channels;
    size_t stride; /* from one position to the next */
    int32_t taps_y, taps_x;
    size_t row, step; /* from one tap to the next */
    int8_t lo, hi;
    int loose; /* 16 bytes may be read at every tap, and written at every position from the first to the last */
} sfi_max_line;

/* Of every position and channel the largest value, clamped. */
typedef void (*sfi_max_line_kernel)(const sfi_max_line* line);

void sfi_max_line_any(const sfi_max_line* line);

#endif
