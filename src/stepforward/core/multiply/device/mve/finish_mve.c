/* From accumulators to outputs at one position, in 32 bits (rows.c has the proof), four rows at a time with Helium. */
#include "base/machine.h"
#include "base/rounding.h"
#include "multiply/device/device.h"
#include "multiply/rows.h"
#include "stepforward.h"

#if SFI_MVE

/* Four rows; those after the last one are whatever the scratch holds there. */
static inline int32x4_t narrow(const sfi_rows* rows, uint32_t r, const int32_t* acc)
{
    const int32x4_t mult = vldrwq_s32(rows->mult + r);
    const int32x4_t a = vaddq_s32(vldrwq_s32(acc + r), vldrwq_s32(rows->bias + r));
    const uint32x4_t part = vandq_u32(vreinterpretq_u32_s32(a), vdupq_n_u32(0xffff));
    const uint32x4_t low = vshrq_n_u32(vmulq_u32(part, vreinterpretq_u32_s32(mult)), 16);
    int32x4_t v = vmulq_s32(vshrq_n_s32(a, 16), mult);
    v = vaddq_s32(vaddq_s32(v, vreinterpretq_s32_u32(low)), vldrwq_s32(rows->half + r));
    v = vshlq_s32(v, vsubq_s32(vdupq_n_s32(16), vldrwq_s32(rows->shift + r)));
    v = vaddq_n_s32(v, rows->zero_point);
    return vminq_s32(vmaxq_s32(v, vdupq_n_s32(rows->lo)), vdupq_n_s32(rows->hi));
}

__attribute__((noinline)) static void finish_any(const sfi_rows* rows, const int32_t* acc, uint32_t count, void* y,
                                                 size_t at)
{
    for (uint32_t r = 0; r < count; r += 4) {
        const int32x4_t v = narrow(rows, r, acc);
        if (rows->dtype == SF_S16)
            vstrhq_p_s32((int16_t*)y + at + r, v, vctp32q(count - r));
        else
            vstrbq_p_s32((int8_t*)y + at + r, v, vctp32q(count - r));
    }
}

void sfi_rows_finish(const sfi_rows* rows, const int32_t* acc, uint32_t count, void* y, size_t at)
{
    if (rows->rounding != SFI_CONTRACT)
        sfi_rows_finish_rounded(rows, acc, count, y, at);
    else if (count == 4 && rows->dtype == SF_S8) /* of all calls nearly all */
        vstrbq_s32((int8_t*)y + at, narrow(rows, 0, acc));
    else
        finish_any(rows, acc, count, y, at);
}

#endif
