/* From accumulators to outputs at one position, in 32 bits (requantize.c has the proof), four rows at a time with Helium. */
#include "device.h"

#if SF_MVE
#include <arm_mve.h>

/* The first `lanes` (1 .. 4) of four rows; reads nothing beyond them. */
static inline int32x4_t narrow(const sf_rows* rows, uint32_t r, const int32_t* acc, mve_pred16_t lanes)
{
    const int32x4_t mult = vldrwq_z_s32(rows->mult + r, lanes);
    const int32x4_t a = vaddq_s32(vldrwq_z_s32(acc + r, lanes), vldrwq_z_s32(rows->bias + r, lanes));
    const uint32x4_t part = vandq_u32(vreinterpretq_u32_s32(a), vdupq_n_u32(0xffff));
    const uint32x4_t low = vshrq_n_u32(vmulq_u32(part, vreinterpretq_u32_s32(mult)), 16);
    int32x4_t v = vmulq_s32(vshrq_n_s32(a, 16), mult);
    v = vaddq_s32(vaddq_s32(v, vreinterpretq_s32_u32(low)), vldrwq_z_s32(rows->half + r, lanes));
    v = vshlq_s32(v, vsubq_s32(vdupq_n_s32(16), vldrwq_z_s32(rows->shift + r, lanes)));
    v = vaddq_n_s32(v, rows->zero_point);
    return vminq_s32(vmaxq_s32(v, vdupq_n_s32(rows->lo)), vdupq_n_s32(rows->hi));
}

void sf_rows_finish(const sf_rows* rows, const int32_t* acc, uint32_t count, void* y, size_t at)
{
    const sf_rows local = *rows; /* y may not alias it, for all the compiler knows */
    for (uint32_t r = 0; r < count; r += 4) {
        const mve_pred16_t lanes = vctp32q(count - r);
        if (local.dtype == SF_S16)
            vstrhq_p_s32((int16_t*)y + at + r, narrow(&local, r, acc, lanes), lanes);
        else
            vstrbq_p_s32((int8_t*)y + at + r, narrow(&local, r, acc, lanes), lanes);
    }
}

#endif
