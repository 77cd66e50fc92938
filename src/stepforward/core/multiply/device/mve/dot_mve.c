/* Four rows times one patch with Helium (Cortex-M55, M85): VMLADAVA adds eight products to a 32-bit sum, which wraps.
 * The caller's bound (contract, section 3) is on the sum of magnitudes, so no partial sum wraps. */
#include "base/machine.h"
#include "multiply/device/device.h"
#include "stepforward.h"

#if SFI_MVE

void sfi_dot_rows(const int16_t* w, size_t stride, const int16_t* x, size_t count, int32_t acc[SF_DEVICE_ROWS])
{
    const int16_t *wa = w, *wb = wa + stride, *wc = wb + stride, *wd = wc + stride;
    int32_t a = 0, b = 0, c = 0, d = 0;
    if (count % 8 != 0) { /* first, so that the pointers below need not outlive their loop */
        const size_t k = count & ~(size_t)7;
        const mve_pred16_t rest = vctp16q((uint32_t)count % 8);
        const int16x8_t v = vldrhq_z_s16(x + k, rest);
        a = vmladavaq_s16(a, v, vldrhq_z_s16(wa + k, rest));
        b = vmladavaq_s16(b, v, vldrhq_z_s16(wb + k, rest));
        c = vmladavaq_s16(c, v, vldrhq_z_s16(wc + k, rest));
        d = vmladavaq_s16(d, v, vldrhq_z_s16(wd + k, rest));
    }
    for (size_t n = count / 8; n > 0; n--, x += 8, wa += 8, wb += 8, wc += 8, wd += 8) {
        const int16x8_t v = vldrhq_s16(x);
        a = vmladavaq_s16(a, v, vldrhq_s16(wa));
        b = vmladavaq_s16(b, v, vldrhq_s16(wb));
        c = vmladavaq_s16(c, v, vldrhq_s16(wc));
        d = vmladavaq_s16(d, v, vldrhq_s16(wd));
    }
    acc[0] = a;
    acc[1] = b;
    acc[2] = c;
    acc[3] = d;
}

#endif
