/* Two rows of bytes side by side, widened. */
#include "multiply/host/plain/plain.h"

void sfi_interleave(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out)
{
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = (int16_t)(a[i] - zero);
        out[2 * i + 1] = (int16_t)(b[i] - zero);
    }
}
