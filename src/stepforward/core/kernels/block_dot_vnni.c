/* sf_block_dot with the multiply-add of AVX-512 VNNI: 8 patches x 16, 32 or 48 rows, every accumulator in a register. */
#include "host.h"

#if SF_X86
#include <immintrin.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vnni")))
#define UNROLL _Pragma("GCC unroll 8")

VNNI static inline __attribute__((always_inline)) void dot(const sf_block* b, const int panels, int32_t* acc, size_t acc_stride)
{
    const int16_t *w = b->words, *x[SF_BLOCK_PATCHES];
    const size_t panel = b->panel;
    __m512i sum[SF_BLOCK_PANELS][SF_BLOCK_PATCHES];
    UNROLL for (int p = 0; p < 8; p++)
    {
        x[p] = b->patches[p];
        UNROLL for (int j = 0; j < panels; j++) sum[j][p] = _mm512_setzero_si512();
    }
    for (size_t s = 0; s < b->segments; s++) {
        size_t at = b->offsets[s];
        const int16_t* end = w + b->pairs * 2 * SF_PANEL;
        for (; w != end; w += 2 * SF_PANEL, at += 2) {
            __m512i words[SF_BLOCK_PANELS];
            UNROLL for (int j = 0; j < panels; j++) words[j] = _mm512_loadu_si512(w + (size_t)j * panel);
            UNROLL for (int p = 0; p < 8; p++)
            {
                int32_t pair;
                sf_copy(&pair, x[p] + at, sizeof pair);
                const __m512i both = _mm512_set1_epi32(pair);
                UNROLL for (int j = 0; j < panels; j++) sum[j][p] = _mm512_dpwssd_epi32(sum[j][p], words[j], both);
            }
        }
    }
    UNROLL for (int p = 0; p < 8; p++)
        UNROLL for (int j = 0; j < panels; j++) _mm512_storeu_si512(acc + (size_t)p * acc_stride + j * (int)SF_PANEL, sum[j][p]);
}

VNNI static void one(const sf_block* b, int32_t* acc, size_t acc_stride) { dot(b, 1, acc, acc_stride); }
VNNI static void two(const sf_block* b, int32_t* acc, size_t acc_stride) { dot(b, 2, acc, acc_stride); }
VNNI static void three(const sf_block* b, int32_t* acc, size_t acc_stride) { dot(b, 3, acc, acc_stride); }

void sf_block_dot_vnni(const sf_block* b, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    (panels == 1 ? one : panels == 2 ? two : three)(b, acc, acc_stride);
}

#endif
