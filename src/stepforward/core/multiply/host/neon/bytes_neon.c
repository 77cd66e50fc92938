/* 8-bit weights with the dot product of AArch64 (SDOT): 4 patches x 16 rows at a time, every accumulator in a register.
 */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/host/neon/neon.h"

#if SFI_NEON
#include <arm_neon.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif

#define DOT __attribute__((target("arch=armv8.2-a+dotprod")))
#define UNROLL _Pragma("GCC unroll 4")

int sfi_has_dot_neon(void)
{
#if defined(__ARM_FEATURE_DOTPROD)
    return 1;
#elif defined(__linux__)
    return (getauxval(AT_HWCAP) >> 20) & 1; /* HWCAP_ASIMDDP */
#else
    return 0;
#endif
}

DOT static void dot(const sfi_block* b, const int16_t* const* patches, const int16_t* w, int32_t* acc,
                    size_t acc_stride)
{
    int32x4_t sum[4][4];
    UNROLL for (int p = 0; p < 4; p++) UNROLL
        for (int v = 0; v < 4; v++)
            sum[p][v] = vdupq_n_s32(0);
    for (size_t s = 0; s < b->segments; s++) {
        size_t at = b->offsets[s];
        const int16_t* end = w + b->pairs * 2 * SFI_PANEL;
        for (; w != end; w += 2 * SFI_PANEL, at += 2) {
            int8x16_t words[4];
            UNROLL for (int v = 0; v < 4; v++)
                words[v] = vld1q_s8((const int8_t*)(w + 8 * v));
            UNROLL for (int p = 0; p < 4; p++) {
                int32_t four;
                sfi_copy(&four, patches[p] + at, sizeof four);
                const int8x16_t all = vreinterpretq_s8_s32(vdupq_n_s32(four));
                UNROLL for (int v = 0; v < 4; v++)
                    sum[p][v] = vdotq_s32(sum[p][v], words[v], all);
            }
        }
    }
    UNROLL for (int p = 0; p < 4; p++) UNROLL
        for (int v = 0; v < 4; v++)
            vst1q_s32(acc + (size_t)p * acc_stride + 4 * v, sum[p][v]);
}

void sfi_block_bytes_neon(const sfi_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc,
                          size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++)
        for (uint32_t first = 0; first < SFI_BLOCK_PATCHES; first += 4)
            dot(b, patches + first, b->words + j * b->panel, acc + first * acc_stride + j * SFI_PANEL, acc_stride);
}

#endif
