/* Running one task on all threads of a crew. */
#ifndef SF_CREW_H
#define SF_CREW_H

#include "stepforward_host.h"

#define SF_MAX_THREADS 64u

typedef void (*sf_task)(void* shared, uint32_t index);

/* The caller and its members; 1 without a crew. */
uint32_t sf_crew_size(const sf_crew* crew);

/* Calls task(shared, i) on the calling thread with i = 0 and on members with 1 <= i < wanted; returns when all have returned. */
void sf_crew_run(sf_crew* crew, uint32_t wanted, sf_task task, void* shared);

#endif
