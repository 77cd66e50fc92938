/* Turns: pieces of packing and of running, given to whoever asks first. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200112L
#endif
#include "threads/turns.h"

#include <sched.h>

static sfi_slot* slot_of(sfi_turns* t, uint32_t group) { return t->slots + group % t->slot_count; }

static int give(sfi_turn* turn, uint32_t group, uint32_t is_tile, uint64_t* given)
{
    turn->group = group;
    turn->is_tile = is_tile;
    turn->number = (*given)++;
    return 1;
}

/* Give the next group its slot, if the one that lay there has been run. */
static int open_next(sfi_turns* t)
{
    sfi_slot* s = slot_of(t, t->opened);
    if (t->opened == t->groups || s->units_done < s->units || s->tiles_done < s->tiles)
        return 0;
    const sfi_slot fresh = {t->tiles(t->job, t->opened), 0, 0, t->units(t->job, t->opened), 0, 0};
    *s = fresh;
    t->opened++;
    return 1;
}

static int find(sfi_turns* t, sfi_turn* turn)
{
    do {
        for (; t->running < t->opened; t->running++) {
            sfi_slot* s = slot_of(t, t->running);
            if (s->tiles_done < s->tiles)
                break;
            if (s->units_given < s->units)
                return give(turn, t->running, 0, &s->units_given);
        }
        for (; t->packing < t->opened; t->packing++) {
            sfi_slot* s = slot_of(t, t->packing);
            if (s->tiles_given < s->tiles)
                return give(turn, t->packing, 1, &s->tiles_given);
        }
    } while (open_next(t));
    return 0;
}

int sfi_take_turn(sfi_turns* t, int finished, sfi_turn* turn)
{
    for (uint32_t waited = 0;; waited++) {
        pthread_mutex_lock(&t->lock);
        if (finished)
            ++*(turn->is_tile ? &slot_of(t, turn->group)->tiles_done : &slot_of(t, turn->group)->units_done);
        finished = 0;
        const int found = find(t, turn), over = t->running == t->groups;
        pthread_mutex_unlock(&t->lock);
        if (found || over)
            return found;
        if (waited > 64) /* another thread has the last piece that this one waits for */
            sched_yield();
    }
}
