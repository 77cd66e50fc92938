/* sfi_block_dot and sfi_block_window with AArch64 NEON: SMLAL and SMLAL2 add eight products of s16 to sums of s32.
 * Loads with LD2 part the two elements of every pair. The caller's bound (contract, section 3) is on the sum of
 * magnitudes, so no partial sum wraps. */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/host/neon/neon.h"

#if SFI_NEON
#include <arm_neon.h>

#define UNROLL _Pragma("GCC unroll 4")

/* 4 patches x 16 rows, every accumulator in a register. */
static void dot(const sfi_block* b, const int16_t* const* patches, const int16_t* w, int32_t* acc, size_t acc_stride)
{
    const int16_t* x[4];
    int32x4_t sum[4][4];
    UNROLL for (int p = 0; p < 4; p++) {
        x[p] = patches[p];
        sum[p][0] = sum[p][1] = sum[p][2] = sum[p][3] = vdupq_n_s32(0);
    }
    for (size_t s = 0; s < b->segments; s++) {
        size_t at = b->offsets[s];
        const int16_t* end = w + b->pairs * 2 * SFI_PANEL;
        for (; w != end; w += 2 * SFI_PANEL, at += 2) {
            const int16x8x2_t low = vld2q_s16(w), high = vld2q_s16(w + SFI_PANEL);
            UNROLL for (int p = 0; p < 4; p++) {
                int32_t bits;
                sfi_copy(&bits, x[p] + at, sizeof bits);
                const int16x4_t pair = vreinterpret_s16_s32(vdup_n_s32(bits));
                sum[p][0] = vmlal_lane_s16(sum[p][0], vget_low_s16(low.val[0]), pair, 0);
                sum[p][1] = vmlal_high_lane_s16(sum[p][1], low.val[0], pair, 0);
                sum[p][2] = vmlal_lane_s16(sum[p][2], vget_low_s16(high.val[0]), pair, 0);
                sum[p][3] = vmlal_high_lane_s16(sum[p][3], high.val[0], pair, 0);
                sum[p][0] = vmlal_lane_s16(sum[p][0], vget_low_s16(low.val[1]), pair, 1);
                sum[p][1] = vmlal_high_lane_s16(sum[p][1], low.val[1], pair, 1);
                sum[p][2] = vmlal_lane_s16(sum[p][2], vget_low_s16(high.val[1]), pair, 1);
                sum[p][3] = vmlal_high_lane_s16(sum[p][3], high.val[1], pair, 1);
            }
        }
    }
    UNROLL for (int p = 0; p < 4; p++)
        for (int i = 0; i < 4; i++)
            vst1q_s32(acc + (size_t)p * acc_stride + 4 * i, sum[p][i]);
}

void sfi_block_dot_neon(const sfi_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                        size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++)
        for (uint32_t first = 0; first < SFI_BLOCK_PATCHES; first += 4)
            dot(b, patches + first, b->words + j * b->panel, acc + first * acc_stride + j * SFI_PANEL, acc_stride);
}

/* 16 channels of one patch. */
static void window(const sfi_block* b, const int16_t* w, const int16_t* patch, int32_t* acc)
{
    int32x4_t sum[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (size_t s = 0; s < b->segments; s++, w += 2 * SFI_PANEL) UNROLL
        for (int half = 0; half < 2; half++) {
            const int16x8x2_t v = vld2q_s16(w + half * (int)SFI_PANEL);
            const int16x8x2_t x = vld2q_s16(patch + b->offsets[s] + half * (int)SFI_PANEL);
            int32x4_t *low = &sum[2 * half], *high = low + 1;
            *low = vmlal_s16(*low, vget_low_s16(v.val[0]), vget_low_s16(x.val[0]));
            *high = vmlal_high_s16(*high, v.val[0], x.val[0]);
            *low = vmlal_s16(*low, vget_low_s16(v.val[1]), vget_low_s16(x.val[1]));
            *high = vmlal_high_s16(*high, v.val[1], x.val[1]);
        }
    UNROLL for (int i = 0; i < 4; i++)
        vst1q_s32(acc + 4 * i, sum[i]);
}

void sfi_block_window_neon(const sfi_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                           size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++)
        for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++)
            window(b, b->words + j * b->panel, patches[p] + j * 2 * SFI_PANEL, acc + p * acc_stride + j * SFI_PANEL);
}

#endif
