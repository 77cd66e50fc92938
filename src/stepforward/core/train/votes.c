/* Votes: what the two losses of a direction say (contract, section 8). */
#include "train/votes.h"
#include "base/integers.h"
#include "base/machine.h"
#include "base/quotient.h"
#include "stepforward.h"

#define ONE 8u
#define MOST 24u
#define FARTHEST (((uint64_t)1 << 28) - 1)

sfi_voting sfi_voting_of(const sf_plan* plan, const void* state)
{
    sfi_voting v = {0, 0, 0, plan->votes};
    if (plan->votes == SF_GRADED)
        sfi_copy(&v.scale, (const uint8_t*)state + plan->scale_first, sizeof v.scale);
    v.deviation = sfi_square_root(v.scale);
    return v;
}

/* 8 * 2^28 and half a root of up to 32 bits fit 32 bits: a scale that steps leave is below 2^56. */
int8_t sfi_vote(sfi_voting* v, int64_t up, int64_t down)
{
    if (v->graded != SF_GRADED)
        return (int8_t)((up > down) - (up < down));
    uint64_t far = up > down ? (uint64_t)up - (uint64_t)down : (uint64_t)down - (uint64_t)up;
    far = far < FARTHEST ? far : FARTHEST;
    v->squares += far * far;
    uint32_t size = far > 0 ? ONE : 0;
    if (v->deviation > 0)
        size = sfi_min_u32((ONE * (uint32_t)far + v->deviation / 2) / v->deviation, MOST);
    return (int8_t)(up > down ? (int32_t)size : -(int32_t)size);
}

uint64_t sfi_voting_scale(const sfi_voting* v, uint32_t directions)
{
    const uint64_t square = v->squares / directions;
    return v->scale == 0 ? square : v->scale + (uint64_t)(((int64_t)(square - v->scale) + 8) >> 4);
}

void sfi_keep_scale(const sf_plan* plan, void* state, uint64_t scale)
{
    if (plan->votes == SF_GRADED)
        sfi_copy((uint8_t*)state + plan->scale_first, &scale, sizeof scale);
}

uint32_t sfi_vote_deviation(const sf_plan* plan, const int8_t* votes)
{
    int64_t sum = 0, squares = 0;
    for (uint32_t i = 0; i < plan->directions; i++) {
        sum += votes[i];
        squares += votes[i] * votes[i];
    }
    const uint64_t guide = (uint64_t)plan->guide_share * plan->guide_share;
    const uint64_t drawn = (uint64_t)plan->drawn_share * plan->drawn_share;
    return sfi_square_root(drawn * (uint64_t)squares + guide * (uint64_t)(sum * sum)); /* below 2^61 */
}

sf_status sf_votes(const sf_plan* plan, void* state, const int64_t* losses, int8_t* votes)
{
    if (plan == NULL || losses == NULL || votes == NULL || plan->votes == SF_CURVED ||
        (state == NULL && plan->state_bytes > 0))
        return SF_BAD_ARGUMENT;
    sfi_voting v = sfi_voting_of(plan, state);
    for (uint32_t i = 0; i < plan->directions; i++)
        votes[i] = sfi_vote(&v, losses[2 * i], losses[2 * i + 1]);
    sfi_keep_scale(plan, state, sfi_voting_scale(&v, plan->directions));
    return SF_OK;
}
