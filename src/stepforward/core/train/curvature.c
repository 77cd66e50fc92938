/* Curved votes: Gauss-Newton within the directions of a step (contract, section 8). */
#include "train/curvature.h"
#include "base/integers.h"
#include "base/machine.h"
#include "base/quotient.h"
#include "train/errors.h"

#define SHARE_BITS 14u
#define SMOOTHING 3u
#define DAMPING 3u
#define PIVOT_BITS 24u
#define RATIO_BITS 20u
#define VOTE_BITS 8u
#define MOST 127
#define FARTHEST ((int64_t)1 << 24)
#define RIGHT_SIDE ((int64_t)1 << 32)

/* How many numbers the rows before row i have. */
static size_t row(size_t i) { return i * (i + 1) / 2; }

static int64_t within(int64_t v, int64_t most) { return v < -most ? -most : v > most ? most : v; }

/* Rounded to the nearest, halves away from zero. */
static int64_t quotient(int64_t value, int64_t divisor)
{
    const int64_t size = ((value < 0 ? -value : value) + divisor / 2) / divisor;
    return value < 0 ? -size : size;
}

uint64_t sfi_curve_bytes(uint32_t directions, uint32_t classes)
{
    return 4 + 8 * ((uint64_t)directions + row(directions)) + 4 * (1 + (uint64_t)directions) * classes;
}

/* A state begins at a multiple of four, and these sums at one of eight. */
sfi_curve sfi_curve_of(const sf_plan* plan, void* state)
{
    uint8_t* first = (uint8_t*)state + plan->curve_first;
    first += (uintptr_t)first & 4u;
    int64_t* slopes = (int64_t*)(void*)first;
    const sfi_curve curve = {slopes, slopes + plan->directions,
                             (int32_t*)(void*)(slopes + plan->directions + row(plan->directions))};
    return curve;
}

void sfi_curve_clear(const sf_plan* plan, void* state)
{
    if (plan->votes == SF_CURVED)
        sfi_fill((uint8_t*)state + plan->curve_first, 0, plan->curve_bytes);
}

/* The softmax of logits, in their place. */
static void shares_of(const sf_plan* plan, int32_t* logits, uint32_t classes)
{
    int64_t top = logits[0], sum = 0;
    for (uint32_t c = 1; c < classes; c++)
        top = logits[c] > top ? logits[c] : top;
    for (uint32_t c = 0; c < classes; c++) {
        logits[c] = (int32_t)sfi_power_below(plan, top - logits[c]);
        sum += logits[c];
    }
    for (uint32_t c = 0; c < classes; c++)
        logits[c] = sfi_share(logits[c], sum, SHARE_BITS);
}

static int64_t weighed(const int32_t* shares, const int32_t* change, uint32_t classes)
{
    int64_t sum = 0;
    for (uint32_t c = 0; c < classes; c++)
        sum += (int64_t)shares[c] * change[c];
    return sum;
}

static int64_t product(const int32_t* restrict shares, const int32_t* restrict a, const int32_t* restrict b,
                       uint32_t classes)
{
    int64_t sum = 0;
    for (uint32_t c = 0; c < classes; c++)
        sum += (int64_t)(shares[c] * a[c]) * b[c];
    return sum;
}

void sfi_curve_add(const sf_plan* plan, const sfi_curve* curve, int32_t* logits, size_t step, uint32_t classes,
                   uint32_t label)
{
    const uint32_t m = plan->directions;
    for (uint32_t i = 0; i < m; i++)
        for (uint32_t c = 0; c < classes; c++) {
            const int64_t change = (int64_t)logits[(1 + i) * step + c] - logits[c];
            logits[(1 + i) * step + c] = (int32_t)within(change, 32767);
        }
    shares_of(plan, logits, classes);
    for (uint32_t i = 0; i < m; i++) {
        const int32_t* change = logits + (1 + i) * step;
        curve->slopes[i] += weighed(logits, change, classes) - (int64_t)change[label] * ((int64_t)1 << SHARE_BITS);
    }
    for (uint32_t c = 0; c < classes; c++)
        logits[c] += (int32_t)(((1u << SHARE_BITS) >> SMOOTHING) / classes) - (logits[c] >> SMOOTHING);
    for (uint32_t i = 0; i < m; i++) {
        int32_t* change = logits + (1 + i) * step;
        const int64_t half = (int64_t)1 << (SHARE_BITS - 1);
        const int32_t mean = (int32_t)((weighed(logits, change, classes) + half) >> SHARE_BITS);
        for (uint32_t c = 0; c < classes; c++)
            change[c] -= mean;
    }
    for (uint32_t i = 0; i < m; i++)
        for (uint32_t j = 0; j <= i; j++)
            curve->curvatures[row(i) + j] += product(logits, logits + (1 + i) * step, logits + (1 + j) * step, classes);
}

/* slope * mult / 2^shift, within what a right side may be. |slope| < 2^45. */
static int64_t scaled(int64_t slope, uint32_t mult, int32_t shift)
{
    const int64_t all = slope * (int64_t)mult;
    if (shift > 61)
        return 0;
    if (shift >= 0)
        return within((all + (((int64_t)1 << shift) >> 1)) >> shift, RIGHT_SIDE);
    return within(within(all, RIGHT_SIDE) * ((int64_t)1 << -shift), RIGHT_SIDE);
}

/* Rounded; where one would go beyond what was tried, all are shortened alike. */
static void shorten(const int64_t* found, uint32_t m, int8_t* votes)
{
    int64_t farthest = 0;
    for (uint32_t i = 0; i < m; i++) {
        const int64_t size = found[i] < 0 ? -found[i] : found[i];
        farthest = size > farthest ? size : farthest;
    }
    const int64_t most = (int64_t)MOST << VOTE_BITS;
    for (uint32_t i = 0; i < m; i++) {
        const int64_t kept = farthest > most ? quotient(found[i] * most, farthest) : found[i];
        votes[i] = (int8_t)quotient(kept, (int64_t)1 << VOTE_BITS);
    }
}

/* One row of the triangle: its ratios take the place of its curvatures, the last of which becomes its pivot. Pivots are
 * below 2^24, so that products with ratios of 20 fraction bits stay in 63 bits. */
static void eliminate(const sf_plan* plan, const sfi_curve* curve, uint32_t i, int64_t damping, uint32_t less)
{
    int64_t* own = curve->curvatures + row(i);
    for (uint32_t j = 0; j < i; j++) {
        const int64_t* other = curve->curvatures + row(j);
        int64_t above = 0;
        for (uint32_t k = 0; k < j; k++)
            above += other[k] * own[k];
        own[j] = (own[j] >> less) - (above >> RATIO_BITS);
    }
    int64_t taken = 0, before = 0;
    for (uint32_t j = 0; j < i; j++) {
        const int64_t pivot = curve->curvatures[row(j) + j];
        const int64_t ratio = quotient(own[j] * ((int64_t)1 << RATIO_BITS), pivot);
        taken += ratio * own[j];
        before += ratio * curve->slopes[j];
        own[j] = ratio;
    }
    const int64_t pivot = ((own[i] + damping) >> less) - (taken >> RATIO_BITS), least = 1 + (damping >> less) / 2;
    own[i] = pivot > least ? pivot : least;
    const int64_t right = scaled(curve->slopes[i], plan->curve_mult, (int32_t)plan->curve_shift - 16 + (int32_t)less);
    curve->slopes[i] = within(right - (before >> RATIO_BITS), RIGHT_SIDE);
}

void sfi_curve_votes(const sf_plan* plan, const sfi_curve* curve, int8_t* votes)
{
    const uint32_t m = plan->directions;
    int64_t total = 0, largest = 0;
    for (uint32_t i = 0; i < m; i++) {
        const int64_t own = curve->curvatures[row(i) + i];
        total += own / m;
        largest = own > largest ? own : largest;
    }
    const int64_t damping = (total >> DAMPING) + 1;
    const uint32_t bits = sfi_top_bit((uint64_t)(largest + damping)) + 1,
                   less = bits > PIVOT_BITS ? bits - PIVOT_BITS : 0;
    for (uint32_t i = 0; i < m; i++)
        eliminate(plan, curve, i, damping, less);
    for (uint32_t i = m; i-- > 0;) {
        int64_t after = 0;
        for (uint32_t j = i + 1; j < m; j++)
            after += curve->curvatures[row(j) + i] * curve->slopes[j];
        const int64_t own = quotient(curve->slopes[i] * ((int64_t)1 << VOTE_BITS), curve->curvatures[row(i) + i]);
        curve->slopes[i] = within(own - (after >> RATIO_BITS), FARTHEST);
    }
    shorten(curve->slopes, m, votes);
}
