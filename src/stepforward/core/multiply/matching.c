/* Constants and sums of a site's rows, for one sample. */
#include "multiply/matching.h"
#include "base/pass.h"
#include "base/sites.h"
#include "multiply/rows.h"
#include "stepforward.h"

#define LIMIT 32767
#define FEW_POSITIONS 65536u /* whose sum stays inside int32 */

void sfi_matched_biases(const sfi_matching* matching, uint32_t first_row, uint32_t count, int32_t* bias)
{
    const uint32_t* changes = matching->site.bias + first_row;
    for (uint32_t r = 0; r < count; r++)
        bias[r] = (int32_t)((uint32_t)bias[r] + changes[r]);
}

const int32_t* sfi_matched_pair(const sfi_matching* matching, uint32_t row, const int32_t* pair, int32_t matched[2])
{
    const uint32_t ratio = (uint16_t)(matching->site.ratio[row] + SFI_RATIO_ONE);
    return sfi_rescaled(pair, ratio, matched) ? matched : pair;
}

/* |acc + centre| <= the reach of acc + |centre|. */
static int fits(const sfi_rows* rows, uint32_t r, int32_t centre)
{
    const int64_t bias = rows->bias[r], c = centre;
    return rows->reach[r] - (bias < 0 ? -bias : bias) + (c < 0 ? -c : c) <= INT32_MAX;
}

void sfi_counts_open(sfi_rows* rows, const sfi_call* call, uint32_t first_row, uint32_t count, int reach)
{
    const sfi_site* site = &call->matching->site;
    sfi_counts* counts = call->matching->counts;
    if (counts == NULL)
        return;
    const int32_t* bias = sfi_base_bias(call->pass->program, site) + first_row;
    counts->narrow = reach && rows->narrow && site->positions <= FEW_POSITIONS;
    for (uint32_t r = 0; r < count; r++) {
        const uint32_t shift = sfi_deviation_shift(site->deviation[first_row + r]);
        const int64_t half = shift > 0 ? (int64_t)1 << (shift - 1) : 0;
        const int64_t centre = (int64_t)bias[r] - site->mean[first_row + r] + half;
        counts->shift[r] = (int32_t)shift;
        counts->centre[r] = (int32_t)(centre > INT32_MAX ? INT32_MAX : centre < INT32_MIN ? INT32_MIN : centre);
        counts->first[r] = counts->second[r] = counts->few[r] = 0;
        counts->narrow = counts->narrow && fits(rows, r, counts->centre[r]);
    }
    rows->counts = counts;
    rows->narrow = 0;
}

void sfi_counts_add(sfi_counts* counts, const int32_t* acc, uint32_t count)
{
    for (uint32_t r = 0; r < count; r++) {
        int32_t d = (acc[r] + counts->centre[r]) >> counts->shift[r];
        if ((uint32_t)d + LIMIT > 2 * LIMIT) /* hardly ever */
            d = d < 0 ? -LIMIT : LIMIT;
        counts->few[r] += d;
        counts->second[r] += (int64_t)d * d;
    }
}

void sfi_counts_add_wide(sfi_counts* counts, const int64_t* acc, uint32_t count)
{
    for (uint32_t r = 0; r < count; r++) {
        const int64_t wide = (acc[r] + counts->centre[r]) >> counts->shift[r];
        const int32_t d = (int32_t)(wide < -LIMIT ? -LIMIT : wide > LIMIT ? LIMIT : wide);
        counts->first[r] += d;
        counts->second[r] += (int64_t)d * d;
    }
}

/* Rounded half up. */
static int64_t shift_right(int64_t value, uint32_t shift)
{
    return (value + (shift > 0 ? (int64_t)1 << (shift - 1) : 0)) >> shift;
}

void sfi_counts_keep(const sfi_counts* counts, const sfi_call* call, uint32_t first_row, uint32_t fresh, uint32_t count)
{
    const sfi_site* site = &call->matching->site;
    const uint32_t unit = sfi_unit_bits(call->pass->plan, site), square = sfi_square_bits(call->pass->plan, site),
                   halves = call->matching->halves;
    for (uint32_t r = fresh; r < count; r++) {
        int32_t* first = site->first + first_row + r;
        uint32_t* second = site->second + first_row + r;
        *first = (*first >> halves) + (int32_t)shift_right(counts->first[r] + counts->few[r], unit);
        *second = (*second >> halves) + (uint32_t)shift_right(counts->second[r], square);
    }
}
