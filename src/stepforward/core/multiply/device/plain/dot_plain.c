/* Four rows times one patch, in plain C and in registers; dot_dsp.c and dot_mve.c replace it where they can. */
#include "base/machine.h"
#include "multiply/device/device.h"
#include "stepforward.h"

#if !SFI_DSP && !SFI_MVE

void sfi_dot_rows(const int16_t* w, size_t stride, const int16_t* x, size_t count, int32_t acc[SF_DEVICE_ROWS])
{
    const int16_t *wa = w, *wb = wa + stride, *wc = wb + stride, *wd = wc + stride;
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (size_t k = 0; k < count; k += 2) {
        const int32_t x0 = x[k], x1 = x[k + 1];
        a += wa[k] * x0 + wa[k + 1] * x1;
        b += wb[k] * x0 + wb[k + 1] * x1;
        c += wc[k] * x0 + wc[k + 1] * x1;
        d += wd[k] * x0 + wd[k + 1] * x1;
    }
    acc[0] = a;
    acc[1] = b;
    acc[2] = c;
    acc[3] = d;
}

#endif
