/* The sums of a packed panel, for sfi_reach(). */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/plain/plain.h"

/* GCC 12 makes good vectors of pairs in 32 bits, and if it leaves the rows a loop. */
SFI_CLONES
void sfi_sums(const int16_t* words, size_t pairs, int64_t sum[SFI_PANEL], int64_t positive[SFI_PANEL])
{
    sfi_fill(sum, 0, SFI_PANEL * sizeof *sum);
    sfi_fill(positive, 0, SFI_PANEL * sizeof *positive);
    for (size_t some; pairs > 0; pairs -= some) {
        int32_t all[SFI_PANEL] = {0}, above[SFI_PANEL] = {0};
        some = pairs < 32767 ? pairs : 32767; /* times 2 * 2^15 stays inside int32 */
        for (size_t k = 0; k < some; k++, words += 2 * SFI_PANEL)
            _Pragma("GCC unroll 1") for (size_t r = 0; r < SFI_PANEL; r++)
            {
                int32_t pair;
                sfi_copy(&pair, words + 2 * r, sizeof pair);
                const int32_t even = (int32_t)((uint32_t)pair << 16) >> 16, odd = pair >> 16;
                all[r] += even + odd;
                above[r] += (even > 0 ? even : 0) + (odd > 0 ? odd : 0);
            }
        for (size_t r = 0; r < SFI_PANEL; r++) {
            sum[r] += all[r];
            positive[r] += above[r];
        }
    }
}
