/* The sums of a packed panel, for sf_reach(). */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/plain/plain.h"

/* GCC 12 makes good vectors of pairs in 32 bits, and if it leaves the rows a loop. */
SF_CLONES
void sf_sums(const int16_t* words, size_t pairs, int64_t sum[SF_PANEL], int64_t positive[SF_PANEL])
{
    sf_fill(sum, 0, SF_PANEL * sizeof *sum);
    sf_fill(positive, 0, SF_PANEL * sizeof *positive);
    for (size_t some; pairs > 0; pairs -= some) {
        int32_t all[SF_PANEL] = {0}, above[SF_PANEL] = {0};
        some = pairs < 32767 ? pairs : 32767; /* times 2 * 2^15 stays inside int32 */
        for (size_t k = 0; k < some; k++, words += 2 * SF_PANEL)
            _Pragma("GCC unroll 1") for (size_t r = 0; r < SF_PANEL; r++)
            {
                int32_t pair;
                sf_copy(&pair, words + 2 * r, sizeof pair);
                const int32_t even = (int32_t)((uint32_t)pair << 16) >> 16, odd = pair >> 16;
                all[r] += even + odd;
                above[r] += (even > 0 ? even : 0) + (odd > 0 ? odd : 0);
            }
        for (size_t r = 0; r < SF_PANEL; r++) {
            sum[r] += all[r];
            positive[r] += above[r];
        }
    }
}
