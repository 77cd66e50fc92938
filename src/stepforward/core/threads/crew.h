/* Running one task on all threads of a crew. */
#ifndef SFI_CREW_H
#define SFI_CREW_H

#include "stepforward_host.h"

#define SFI_MAX_THREADS 64u

typedef void (*sfi_task)(void* shared, uint32_t index);

/* The caller and its members; 1 without a crew. */
uint32_t sfi_crew_size(const sf_crew* crew);

/* Calls task(shared, i) on the calling thread with i = 0 and on members with 1 <= i < wanted; returns when all have
 * returned. */
void sfi_crew_run(sf_crew* crew, uint32_t wanted, sfi_task task, void* shared);

#endif
