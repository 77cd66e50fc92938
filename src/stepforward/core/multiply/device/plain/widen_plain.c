/* Bytes become s16 without their zero point, in plain C. */
#include "base/integers.h"
#include "base/machine.h"
#include "multiply/device/device.h"

#if !SFI_DSP && !SFI_MVE

void sfi_widen_runs(const sfi_widening* how, const int8_t* x, int16_t* out)
{
    for (uint32_t run = 0; run < how->runs; run++)
        sfi_widen(x + run * how->x_step, (int32_t)how->count, how->zero, out + run * how->out_step);
}

#endif
