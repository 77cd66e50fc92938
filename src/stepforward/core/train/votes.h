/* The votes of one step (contract, section 8), direction by direction. */
#ifndef SFI_VOTES_H
#define SFI_VOTES_H

#include "stepforward.h"

typedef struct sfi_voting {
    uint64_t scale;     /* running mean square of the differences, before the step */
    uint64_t squares;   /* of the step so far */
    uint32_t deviation; /* root of the scale */
    uint32_t graded;
} sfi_voting;

sfi_voting sfi_voting_of(const sf_plan* plan, const void* state);

/* The vote of the next direction. */
int8_t sfi_vote(sfi_voting* voting, int64_t up, int64_t down);

/* The scale after the votes of all directions; 0 where votes are signs. */
uint64_t sfi_voting_scale(const sfi_voting* voting, uint32_t directions);

/* Leaves the scale in the state, if the plan has one. */
void sfi_keep_scale(const sf_plan* plan, void* state, uint64_t scale);

/* In Q15, the deviation of the sum of votes times guided directions in units of that of one direction. */
uint32_t sfi_vote_deviation(const sf_plan* plan, const int8_t* votes);

#endif
