/* sf_block_window with the multiply-add of AVX-512 VNNI: 8 positions x 16 channels, every accumulator in a register. */
#include "host.h"

#if SF_X86
#include <immintrin.h>

#define UNROLL _Pragma("GCC unroll 8")

__attribute__((target("avx512f,avx512bw,avx512vnni"))) void sf_block_window_vnni(const sf_block* b, uint32_t panels,
                                                                                int32_t* acc, size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++) {
        const int16_t *w = b->words + j * b->panel, *x[SF_BLOCK_PATCHES];
        __m512i sum[SF_BLOCK_PATCHES];
        UNROLL for (int p = 0; p < 8; p++)
        {
            x[p] = b->patches[p] + j * 2 * SF_PANEL;
            sum[p] = _mm512_setzero_si512();
        }
        for (size_t s = 0; s < b->segments; s++, w += 2 * SF_PANEL) {
            const size_t at = b->offsets[s];
            const __m512i words = _mm512_loadu_si512(w);
            UNROLL for (int p = 0; p < 8; p++) sum[p] = _mm512_dpwssd_epi32(sum[p], words, _mm512_loadu_si512(x[p] + at));
        }
        UNROLL for (int p = 0; p < 8; p++) _mm512_storeu_si512(acc + (size_t)p * acc_stride + j * SF_PANEL, sum[p]);
    }
}

#endif
