/* Widening with Helium: the load widens, one subtraction does the zero point. */
#include "device.h"

#if SF_MVE
#include <arm_mve.h>

void sf_widen_patch(const int8_t* x, uint32_t count, int32_t zero, int16_t* out)
{
    const int16x8_t less = vdupq_n_s16((int16_t)zero);
    for (uint32_t n = count / 8; n > 0; n--) {
        vstrhq_s16(out, vsubq_s16(vldrbq_s16(x), less));
        x += 8;
        out += 8;
    }
    if (count % 8 != 0) {
        const mve_pred16_t rest = vctp16q(count % 8);
        vstrhq_p_s16(out, vsubq_s16(vldrbq_z_s16(x, rest), less), rest);
    }
}

#endif
