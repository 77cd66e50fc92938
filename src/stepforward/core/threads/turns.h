/* Who does what next: threads pack the weights of groups of trials, and run samples with them. */
#ifndef SFI_TURNS_H
#define SFI_TURNS_H

#include <pthread.h>

#include "stepforward.h"

#define SFI_MOST_SLOTS 8u

/* A group's place in memory: pieces of work that it has, that were given out, and that are done. */
typedef struct sfi_slot {
    uint64_t tiles, tiles_given, tiles_done;
    uint64_t units, units_given, units_done;
} sfi_slot;

/* Groups are packed and run in their order; group g lies in slot g % slot_count, so it is packed when the group that
 * lay there before has been run. A thread runs what is packed, if there is any, and else packs ahead: no thread waits
 * for the others before the last groups. */
typedef struct sfi_turns {
    pthread_mutex_t lock; /* the caller's too, for what it adds up */
    uint64_t (*tiles)(const void* job, uint32_t group);
    uint64_t (*units)(const void* job, uint32_t group);
    const void* job;
    uint32_t groups, slot_count;
    uint32_t opened, packing, running; /* groups that have a slot, and the first ones that have work to give */
    sfi_slot slots[SFI_MOST_SLOTS];
} sfi_turns;

typedef struct sfi_turn {
    uint32_t group, is_tile; /* a tile to pack, or a unit to run */
    uint64_t number;
} sfi_turn;

/* The next piece of work; 0 when there is no more. Where `finished`, *turn is what the caller has done since. */
int sfi_take_turn(sfi_turns* turns, int finished, sfi_turn* turn);

#endif
