/* Rescaling pairs of rows that are fused, in one of the roundings that have such kernels. */
#ifndef PAIRS_H
#define PAIRS_H

#include "base/rounding.h"
#include "draw.h"
#include "multiply/rows.h"

static void draw_rounding(sfi_rows* rows)
{
    static const int32_t roundings[3] = {SFI_CONTRACT, SFI_TWICE, SFI_FLOAT};
    rows->rounding = roundings[draw(0, 2)];
}

/* Of row r, for sums up to 2^30 + 2^20. most: the largest multiplier and shift by the contract. */
static void draw_pair(sfi_rows* rows, uint32_t r, int32_t most_mult, int32_t most_shift)
{
    if (rows->rounding == SFI_TWICE) {
        rows->mult[r] = draw(1 << 22, (1 << 23) - 1) * 256 + draw(0, 255);
        rows->shift[r] = draw(32, 53); /* 129 * 2^22 < 2^30 - 2^20 */
        rows->half[r] = 0;
    } else if (rows->rounding == SFI_FLOAT) {
        rows->mult[r] = draw(1 << 23, (1 << 24) - 1);
        rows->shift[r] = draw(25, 63); /* (2^30 + 2^20) * 2^24 / 2^25 < 2^30 */
        rows->half[r] = ((150 - rows->shift[r]) << 23) + (rows->mult[r] - (1 << 23));
    } else {
        rows->mult[r] = draw(0, most_mult);
        rows->shift[r] = draw(17, most_shift);
        rows->half[r] = (int32_t)1 << (rows->shift[r] - 17);
    }
}

#endif
