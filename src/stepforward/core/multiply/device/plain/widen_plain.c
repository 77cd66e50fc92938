/* Bytes become s16 without their zero point, in plain C. */
#include "base/integers.h"
#include "base/machine.h"
#include "multiply/device/device.h"

#if !SF_DSP && !SF_MVE

void sf_widen_runs(const sf_widening* how, const int8_t* x, int16_t* out)
{
    for (uint32_t run = 0; run < how->runs; run++)
        sf_widen(x + run * how->x_step, (int32_t)how->count, how->zero, out + run * how->out_step);
}

#endif
