/* Bytes become s16 without their zero point with Helium: the load widens, one subtraction does the rest. */
#include "base/machine.h"
#include "multiply/device/device.h"

#if SFI_MVE

void sfi_widen_runs(const sfi_widening* how, const int8_t* x, int16_t* out)
{
    const size_t x_step = how->x_step, out_step = how->out_step;
    const uint32_t rest = how->count % 8, whole = how->count - rest;
    const int16x8_t zero = vdupq_n_s16((int16_t)how->zero);
    for (uint32_t runs = how->runs; runs > 0; runs--, x += x_step, out += out_step) {
        if (rest > 0) { /* first, so that the pointers below need not outlive their loop */
            const mve_pred16_t lanes = vctp16q(rest);
            vstrhq_p_s16(out + whole, vsubq_s16(vldrbq_z_s16(x + whole, lanes), zero), lanes);
        }
        const int8_t* from = x;
        int16_t* to = out;
        for (uint32_t n = whole / 8; n > 0; n--, from += 8, to += 8)
            vstrhq_s16(to, vsubq_s16(vldrbq_s16(from), zero));
    }
}

#endif
