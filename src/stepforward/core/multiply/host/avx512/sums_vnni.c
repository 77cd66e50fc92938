/* sfi_sums with the multiply-add of AVX-512 VNNI: a lane is a row. */
#include "base/machine.h"
#include "base/pass.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/avx512/lanes_avx512.h"

#if SFI_X86

SFI_VNNI static void add_lanes(__m512i part, int64_t sum[SFI_PANEL])
{
    int32_t lanes[SFI_PANEL];
    _mm512_storeu_si512(lanes, part);
    for (uint32_t r = 0; r < SFI_PANEL; r++)
        sum[r] += lanes[r];
}

SFI_VNNI void sfi_sums_vnni(const int16_t* words, size_t pairs, int64_t sum[SFI_PANEL], int64_t positive[SFI_PANEL])
{
    const __m512i ones = _mm512_set1_epi16(1), zero = _mm512_setzero_si512();
    sfi_fill(sum, 0, SFI_PANEL * sizeof *sum);
    sfi_fill(positive, 0, SFI_PANEL * sizeof *positive);
    while (pairs > 0) {
        __m512i all[2] = {zero, zero}, above[2] = {zero, zero}; /* of even and of odd pairs */
        const size_t some = pairs < 32767 ? pairs : 32767;      /* times 2 * 2^15 stays inside int32 */
        for (size_t k = 0; k + 2 <= some; k += 2)
            for (size_t i = 0; i < 2; i++) {
                const __m512i w = _mm512_loadu_si512(words + (k + i) * 2 * SFI_PANEL);
                all[i] = _mm512_dpwssd_epi32(all[i], w, ones);
                above[i] = _mm512_dpwssd_epi32(above[i], _mm512_max_epi16(w, zero), ones);
            }
        if (some % 2 == 1) {
            const __m512i w = _mm512_loadu_si512(words + (some - 1) * 2 * SFI_PANEL);
            all[0] = _mm512_dpwssd_epi32(all[0], w, ones);
            above[0] = _mm512_dpwssd_epi32(above[0], _mm512_max_epi16(w, zero), ones);
        }
        add_lanes(_mm512_add_epi32(all[0], all[1]), sum);
        add_lanes(_mm512_add_epi32(above[0], above[1]), positive);
        words += some * 2 * SFI_PANEL;
        pairs -= some;
    }
}

#endif
