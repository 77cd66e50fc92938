/* Threads that wait for work. Starting one takes as long as a forward pass of a small network, so they are kept. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200112L
#endif
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/machine.h"
#include "stepforward.h"
#include "stepforward_host.h"
#include "threads/crew.h"

#define SPINS 2000u /* some tens of microseconds: the time between two calls of a training loop */

struct sf_crew {
    pthread_mutex_t lock;
    pthread_cond_t called, left;
    sfi_task task;
    void* shared;
    uint32_t wanted;
    uint32_t call;    /* counts up with every task; read without the lock while a member waits busily */
    uint32_t working; /* members inside the task; the same */
    uint32_t closing;
    uint32_t size; /* the caller and the members */
    uint32_t joined;
    pid_t owner; /* after a fork the child has no members */
    pthread_t members[SFI_MAX_THREADS];
};

size_t sf_crew_bytes(void) { return sizeof(sf_crew); }

static uint32_t look(const uint32_t* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }

static void pause_a_little(uint32_t waited)
{
#if SFI_X86
    __builtin_ia32_pause();
#endif
    if (waited % 64 == 63)
        sched_yield();
}

static void* member(void* argument)
{
    sf_crew* c = (sf_crew*)argument;
    pthread_mutex_lock(&c->lock);
    const uint32_t index = ++c->joined;
    uint32_t seen = 0;
    for (;;) {
        pthread_mutex_unlock(&c->lock);
        for (uint32_t i = 0; i < SPINS && look(&c->call) == seen; i++)
            pause_a_little(i);
        pthread_mutex_lock(&c->lock);
        while (c->call == seen && !c->closing)
            pthread_cond_wait(&c->called, &c->lock);
        if (c->call == seen) /* closing; a call that has begun is worked on first, its caller waits for it */
            break;
        seen = c->call;
        pthread_mutex_unlock(&c->lock);
        if (index < c->wanted)
            c->task(c->shared, index);
        pthread_mutex_lock(&c->lock);
        __atomic_store_n(&c->working, c->working - 1, __ATOMIC_RELEASE);
        if (c->working == 0)
            pthread_cond_signal(&c->left);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

sf_status sf_crew_open(sf_crew* c, size_t bytes, uint32_t threads)
{
    if (c == NULL || bytes < sizeof *c || threads == 0 || threads > SFI_MAX_THREADS)
        return SF_BAD_ARGUMENT;
    sfi_fill(c, 0, sizeof *c);
    if (pthread_mutex_init(&c->lock, NULL) != 0 || pthread_cond_init(&c->called, NULL) != 0 ||
        pthread_cond_init(&c->left, NULL) != 0)
        return SF_NO_THREAD;
    c->owner = getpid();
    c->size = 1;
    /* a thread that cannot be had leaves its work to the others */
    while (c->size < threads && pthread_create(&c->members[c->size], NULL, member, c) == 0)
        c->size++;
    return SF_OK;
}

void sf_crew_close(sf_crew* c)
{
    if (c == NULL || c->owner != getpid())
        return;
    pthread_mutex_lock(&c->lock);
    c->closing = 1;
    pthread_cond_broadcast(&c->called);
    pthread_mutex_unlock(&c->lock);
    for (uint32_t i = 1; i < c->size; i++)
        pthread_join(c->members[i], NULL);
    /* The lock stays: a thread that is ended with its process may still make calls, and finds the crew closed. */
    c->owner = 0;
}

uint32_t sfi_crew_size(const sf_crew* c) { return c == NULL || c->owner != getpid() ? 1 : c->size; }

void sfi_crew_run(sf_crew* c, uint32_t wanted, sfi_task task, void* shared)
{
    if (wanted < 2 || sfi_crew_size(c) < 2) {
        task(shared, 0);
        return;
    }
    pthread_mutex_lock(&c->lock);
    if (c->closing) {
        pthread_mutex_unlock(&c->lock);
        task(shared, 0);
        return;
    }
    c->task = task;
    c->shared = shared;
    c->wanted = wanted;
    c->working = c->size - 1;
    __atomic_store_n(&c->call, c->call + 1, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&c->called);
    pthread_mutex_unlock(&c->lock);
    task(shared, 0);
    for (uint32_t i = 0; i < SPINS && look(&c->working) > 0; i++)
        pause_a_little(i);
    pthread_mutex_lock(&c->lock);
    while (c->working > 0)
        pthread_cond_wait(&c->left, &c->lock);
    pthread_mutex_unlock(&c->lock);
}
