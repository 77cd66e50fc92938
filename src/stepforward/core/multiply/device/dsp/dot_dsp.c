/* Four rows times one patch with the DSP instructions of Cortex-M4, M7, M33: SMLAD adds two products in one step. Its
 * 32-bit sum wraps without saturation; the caller's bound (contract, section 3) is on the sum of magnitudes, so no
 * partial sum wraps. */
#include "base/machine.h"
#include "multiply/device/device.h"
#include "stepforward.h"

#if SFI_DSP
#include <arm_acle.h>

typedef int32_t __attribute__((may_alias)) pair; /* two s16 */

void sfi_dot_rows(const int16_t* w, size_t stride, const int16_t* x, size_t count, int32_t acc[SF_DEVICE_ROWS])
{
    const pair *wa = (const pair*)(const void*)w, *wb = wa + stride / 2, *wc = wb + stride / 2, *wd = wc + stride / 2;
    const pair *px = (const pair*)(const void*)x, *end = px + (count & ~(size_t)3) / 2;
    int32_t a = 0, b = 0, c = 0, d = 0;
    while (px != end) {
        const pair x0 = *px++, x1 = *px++;
        a = __smlad(*wa++, x0, a);
        a = __smlad(*wa++, x1, a);
        b = __smlad(*wb++, x0, b);
        b = __smlad(*wb++, x1, b);
        c = __smlad(*wc++, x0, c);
        c = __smlad(*wc++, x1, c);
        d = __smlad(*wd++, x0, d);
        d = __smlad(*wd++, x1, d);
    }
    if (count & 2u) {
        a = __smlad(*wa, *px, a);
        b = __smlad(*wb, *px, b);
        c = __smlad(*wc, *px, c);
        d = __smlad(*wd, *px, d);
    }
    acc[0] = a;
    acc[1] = b;
    acc[2] = c;
    acc[3] = d;
}

#endif
