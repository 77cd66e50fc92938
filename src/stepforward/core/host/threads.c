/* The samples of a batch, shared out over threads. Sums of integers do not depend on who adds them. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200112L
#endif
#include <pthread.h>

#include "../internal.h"

#define MAX_THREADS 64u

/* What all threads share; `next` hands out blocks of samples. */
typedef struct job {
    const sf_program* program;
    const sf_plan* plan;
    const void* weights;
    const int8_t* x;
    const int32_t* labels;
    uint32_t n;
    const sf_perturbation* perturbations;
    uint32_t count;
    int64_t* losses; /* NULL: logits are wanted */
    int32_t* logits;
    uint32_t next;
    uint32_t block;
    pthread_mutex_t lock;
} job;

typedef struct worker {
    job* shared;
    sf_scratch scratch;
    sf_status status;
    pthread_t thread;
} worker;

/* First sample of the next block; n when there is none. */
static uint32_t take(job* j)
{
    pthread_mutex_lock(&j->lock);
    const uint32_t first = j->next;
    j->next = j->n - first > j->block ? first + j->block : j->n;
    pthread_mutex_unlock(&j->lock);
    return first;
}

#define AT_ONCE 64u /* losses kept on the stack of a thread */

static sf_status block_losses(job* j, const sf_scratch* scratch, uint32_t first, uint32_t size)
{
    int64_t part[AT_ONCE];
    for (uint32_t at = 0; at < j->count; at += AT_ONCE) {
        const uint32_t some = sf_min_u32(AT_ONCE, j->count - at);
        const sf_status status = sf_losses(j->program, j->plan, j->weights, scratch, j->x + (size_t)first * j->program->input_bytes,
                                           j->labels + first, size, j->perturbations + at, some, part);
        if (status != SF_OK)
            return status;
        pthread_mutex_lock(&j->lock);
        for (uint32_t i = 0; i < some; i++)
            j->losses[at + i] += part[i];
        pthread_mutex_unlock(&j->lock);
    }
    return SF_OK;
}

static void* work(void* argument)
{
    worker* w = (worker*)argument;
    job* j = w->shared;
    for (uint32_t first = take(j); first < j->n && w->status == SF_OK; first = take(j)) {
        const uint32_t size = sf_min_u32(j->block, j->n - first);
        w->status = j->losses != NULL ? block_losses(j, &w->scratch, first, size)
                                      : sf_logits(j->program, j->weights, &w->scratch, j->x + (size_t)first * j->program->input_bytes,
                                                  size, j->logits + (size_t)first * j->program->classes);
    }
    return NULL;
}

/* Runs the job on `threads` threads, the calling one among them. */
static sf_status run(job* j, const sf_scratch* scratch, uint32_t threads)
{
    const size_t slice = (sf_scratch_bytes(j->program, scratch->block, scratch->row_tile) + 63) & ~(size_t)63;
    worker workers[MAX_THREADS];
    if (threads == 0 || threads > MAX_THREADS || slice == 0)
        return SF_BAD_ARGUMENT;
    if (slice > scratch->bytes / threads)
        return SF_SCRATCH_TOO_SMALL;
    if (pthread_mutex_init(&j->lock, NULL) != 0)
        return SF_NO_THREAD;
    j->block = scratch->block;
    const uint32_t blocks = j->n / j->block + (j->n % j->block != 0), wanted = sf_max_u32(1, sf_min_u32(threads, blocks));
    uint32_t started = 1;
    for (uint32_t i = 0; i < wanted; i++) {
        workers[i].shared = j;
        workers[i].status = SF_OK;
        workers[i].scratch = *scratch;
        workers[i].scratch.memory = (uint8_t*)scratch->memory + i * slice;
        workers[i].scratch.bytes = slice;
    }
    /* a thread that cannot be had leaves its blocks to the others */
    while (started < wanted && pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
        started++;
    work(&workers[0]);
    sf_status status = workers[0].status;
    for (uint32_t i = 1; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        if (status == SF_OK)
            status = workers[i].status;
    }
    pthread_mutex_destroy(&j->lock);
    return status;
}

sf_status sf_losses_threaded(const sf_program* program, const sf_plan* plan, const void* weights, const sf_scratch* scratch,
                             uint32_t threads, const int8_t* x, const int32_t* labels, uint32_t n,
                             const sf_perturbation* perturbations, uint32_t count, int64_t* losses)
{
    if (program == NULL || scratch == NULL || scratch->memory == NULL || x == NULL || labels == NULL || perturbations == NULL ||
        losses == NULL)
        return SF_BAD_ARGUMENT;
    job j = {0};
    j.program = program;
    j.plan = plan;
    j.weights = weights;
    j.x = x;
    j.labels = labels;
    j.n = n;
    j.perturbations = perturbations;
    j.count = count;
    j.losses = losses;
    for (uint32_t i = 0; i < count; i++)
        losses[i] = 0;
    return run(&j, scratch, threads);
}

sf_status sf_logits_threaded(const sf_program* program, const void* weights, const sf_scratch* scratch, uint32_t threads,
                             const int8_t* x, uint32_t n, int32_t* logits)
{
    if (program == NULL || scratch == NULL || scratch->memory == NULL || x == NULL || logits == NULL)
        return SF_BAD_ARGUMENT;
    job j = {0};
    j.program = program;
    j.weights = weights;
    j.x = x;
    j.n = n;
    j.logits = logits;
    return run(&j, scratch, threads);
}
