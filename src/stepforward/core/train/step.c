/* The whole training step for a device: perturb while loading, compare two losses, vote, write down, move. */
#include "base/integers.h"
#include "base/machine.h"
#include "stepforward.h"
#include "train/curvature.h"
#include "train/forward.h"
#include "train/tail.h"
#include "train/votes.h"

/* Directions whose probes share one run of the operators before the cut; their losses lie on the stack. */
#define TOGETHER 6u

/* Losses summed over the samples from, from + stride, ...: all of them in one call, a share of them one by one, since
 * its samples do not lie together. */
static sf_status losses_of(sf_trainer* t, const int8_t* x, const int32_t* labels, uint32_t n, uint32_t from,
                           uint32_t stride, const sf_perturbation* probes, uint32_t count, int64_t* losses)
{
    if (stride == 1)
        return sfi_gather(t->program, t->plan, t->weights, t->state, &t->scratch, x, labels, n, probes, count, losses,
                          NULL);
    sf_status status = SF_OK;
    int64_t one[2]; /* a share belongs to one direction */
    sfi_fill(losses, 0, count * sizeof *losses);
    for (uint64_t j = from; status == SF_OK && j < n; j += stride) {
        const int8_t* sample = x + (size_t)j * t->program->input_bytes;
        status = sfi_gather(t->program, t->plan, t->weights, t->state, &t->scratch, sample, labels + j, 1, probes,
                            count, one, NULL);
        for (uint32_t i = 0; status == SF_OK && i < count; i++)
            losses[i] += one[i];
    }
    return status;
}

/* The votes of `count` directions from `first` on, by their losses on the samples from, from + stride, ... */
static sf_status vote(sf_trainer* t, const int8_t* x, const int32_t* labels, uint32_t n, uint32_t from, uint32_t stride,
                      uint32_t first, uint32_t count, int32_t ascent, sfi_voting* voting)
{
    sf_perturbation probes[2 * TOGETHER];
    int64_t losses[2 * TOGETHER];
    for (uint32_t i = 0; i < 2 * count; i++) {
        probes[i].step = t->step;
        probes[i].direction = first + i / 2;
        probes[i].sign = i % 2 == 0 ? 1 : -1;
        probes[i].ascent = ascent;
    }
    const sf_status status = losses_of(t, x, labels, n, from, stride, probes, 2 * count, losses);
    for (uint32_t i = 0; status == SF_OK && i < count; i++)
        t->votes[first + i] = sfi_vote(voting, losses[2 * i], losses[2 * i + 1]);
    return status;
}

/* Where only the tail moves: one pass, and no votes. */
static sf_status gather(sf_trainer* t, const int8_t* x, const int32_t* labels, uint32_t n)
{
    const sf_perturbation plain = {t->step, 0, 0, 0};
    int64_t loss;
    sfi_fill(t->votes, 0, t->plan->directions);
    return losses_of(t, x, labels, n, 0, 1, &plain, 1, &loss);
}

/* How far to climb before the directions are tried: to the side of SF_ASCENT with the larger loss. */
static sf_status climb(sf_trainer* t, const int8_t* x, const int32_t* labels, uint32_t n, int32_t* ascent)
{
    const uint32_t stride = t->plan->share_batch ? t->plan->directions : 1;
    const sf_perturbation probes[2] = {{t->step, SF_ASCENT, 1, 0}, {t->step, SF_ASCENT, -1, 0}};
    int64_t losses[2] = {0, 0}, one[2];
    sf_status status = SF_OK;
    if (stride == 1)
        status = sf_losses(t->program, t->plan, t->weights, t->state, &t->scratch, x, labels, n, probes, 2, losses);
    for (uint64_t j = 0; status == SF_OK && stride > 1 && j < n; j += stride) {
        status = sf_losses(t->program, t->plan, t->weights, t->state, &t->scratch,
                           x + (size_t)j * t->program->input_bytes, labels + j, 1, probes, 2, one);
        losses[0] += one[0];
        losses[1] += one[1];
    }
    *ascent = losses[0] >= losses[1] ? (int32_t)t->plan->sharpness : -(int32_t)t->plan->sharpness;
    return status;
}

/* Curved votes: every sample along every direction, so that its logits can be compared. In a frame of its own: the
 * stack holds the trials of one of the two. */
__attribute__((noinline)) static sf_status curve(sf_trainer* t, const int8_t* x, const int32_t* labels, uint32_t n)
{
    const uint32_t classes = t->program->classes, trials = 1 + t->plan->directions;
    const sfi_curve sums = sfi_curve_of(t->plan, t->state);
    sf_status status = n <= SFI_MOST_CURVED_ROWS ? SF_OK : SF_BAD_ARGUMENT;
    for (uint32_t s = 0; status == SF_OK && s < n; s++) {
        sf_perturbation probes[2 * TOGETHER];
        int64_t losses[2 * TOGETHER];
        for (uint32_t at = 0, count; status == SF_OK && at < trials; at += count) {
            count = sfi_min_u32(2 * TOGETHER, trials - at);
            for (uint32_t i = 0; i < count; i++) {
                const uint32_t up = at + i > 0;
                const sf_perturbation probe = {t->step, up ? at + i - 1 : 0, (int32_t)up, 0};
                probes[i] = probe;
            }
            const sfi_seen seen = {sums.logits + (size_t)at * classes, classes};
            status = sfi_gather(t->program, t->plan, t->weights, t->state, &t->scratch,
                                x + (size_t)s * t->program->input_bytes, labels + s, 1, probes, count, losses, &seen);
        }
        if (status == SF_OK)
            sfi_curve_add(t->plan, &sums, sums.logits, classes, classes, (uint32_t)labels[s]);
    }
    if (status == SF_OK)
        sfi_curve_votes(t->plan, &sums, t->votes);
    sfi_curve_clear(t->plan, t->state);
    return status;
}

static sf_status ask(sf_trainer* t, const int8_t* x, const int32_t* labels, uint32_t n, sfi_voting* voting)
{
    const uint32_t m = t->plan->directions, share = t->plan->share_batch;
    if (t->plan->voted_count == 0)
        return gather(t, x, labels, n);
    if (t->plan->votes == SF_CURVED)
        return curve(t, x, labels, n);
    int32_t ascent = 0;
    if (t->plan->sharpness > 0) {
        const sf_status status = climb(t, x, labels, n, &ascent);
        if (status != SF_OK)
            return status;
    }
    for (uint32_t i = 0, count; i < m; i += count) {
        count = share ? 1 : sfi_min_u32(TOGETHER, m - i);
        const sf_status status =
            vote(t, x, labels, n, share && n > 0 ? i % n : 0, share ? m : 1, i, count, ascent, voting);
        if (status != SF_OK)
            return status;
    }
    return SF_OK;
}

sf_status sf_train_step(sf_trainer* t, const int8_t* x, const int32_t* labels, uint32_t n)
{
    if (t == NULL || t->program == NULL || t->plan == NULL || t->step >= t->plan->steps ||
        (t->state == NULL && t->plan->state_bytes > 0) ||
        (t->journal != NULL && t->journal->directions != t->plan->directions))
        return SF_BAD_ARGUMENT;
    sfi_tail_clear(t->plan, t->state); /* of a step that failed */
    sfi_voting voting = sfi_voting_of(t->plan, t->state);
    sf_status status = ask(t, x, labels, n, &voting);
    const uint64_t scale = sfi_voting_scale(&voting, t->plan->directions);
    if (status == SF_OK && t->journal != NULL)
        status = sf_journal_votes(t->journal, t->votes, scale);
    if (status != SF_OK)
        return status;
    sfi_keep_scale(t->plan, t->state, scale);
    status = sf_update(t->program, t->plan, t->weights, t->state, t->step, t->votes);
    if (status == SF_OK)
        t->step++;
    return status;
}
