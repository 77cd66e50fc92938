/* The whole training step for a device: perturb while loading, compare two losses, vote, write down, move. */
#include "internal.h"

sf_status sf_train_step(sf_trainer* t, const int8_t* x, const int32_t* labels, uint32_t n)
{
    if (t == NULL || t->program == NULL || t->plan == NULL || t->step >= t->plan->steps ||
        (t->momentum == NULL && t->plan->momentum_elements > 0) ||
        (t->journal != NULL && t->journal->directions != t->plan->directions))
        return SF_BAD_ARGUMENT;
    for (uint32_t i = 0; i < t->plan->directions; i++) {
        const sf_perturbation probes[2] = {{t->step, i, 1}, {t->step, i, -1}};
        int64_t losses[2];
        const sf_status status = sf_losses(t->program, t->plan, t->weights, &t->scratch, x, labels, n, probes, 2, losses);
        if (status != SF_OK)
            return status;
        t->votes[i] = (int8_t)((losses[0] > losses[1]) - (losses[0] < losses[1]));
    }
    if (t->journal != NULL) {
        const sf_status status = sf_journal_votes(t->journal, t->votes);
        if (status != SF_OK)
            return status;
    }
    const sf_status status = sf_update(t->program, t->plan, t->weights, t->momentum, t->step, t->votes);
    if (status == SF_OK)
        t->step++;
    return status;
}
