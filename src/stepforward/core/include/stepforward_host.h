/* stepforward_host.h - stepforward.h on many threads, for hosts with an operating system: a crew of threads that wait
 * between calls, and weights packed once for all of them. */
#ifndef STEPFORWARD_HOST_H
#define STEPFORWARD_HOST_H

#include "stepforward.h"

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* Weights packed for a host's kernels, in every call once for all threads and blocks of samples: those of the operators
 * before program->cut, and the others once per trial. The caller provides the memory and keeps it between calls, so
 * that what the plan does not move is packed only in the first. For one program, one plan and one row_tile. */
typedef struct sf_packs {
    void* memory;    /* 64-byte aligned */
    size_t bytes;    /* at least sf_packs_bytes(program, row_tile, copies, directions) */
    uint32_t copies; /* of the weights after the cut, 1 or more. Two let the two sides of a direction share the drawing
                        of z, four let threads pack the next direction while others run the last one; one for each
                        trial lets all trials share one run of the operators before the cut */
    uint32_t directions; /* whose z is kept for sf_update_threaded(), as packing draws it: any number, of the first ones
                            of a step */
    uint32_t filled; /* 0 at first, and whenever other weights than the plan's trainable ones have changed; kept by the
                        core */
    uint32_t drawn;  /* 0 at first; kept by the core: 1 + the step whose z is there, of directions 0 .. held-1 */
    uint32_t held;
} sf_packs;

/* 0 when row_tile is not allowed or the sum does not fit into size_t. */
size_t sf_packs_bytes(const sf_program* program, uint32_t row_tile, uint32_t copies, uint32_t directions);

/* Threads that wait for work, in the caller's memory. One call at a time; after a fork the child works alone. */
typedef struct sf_crew sf_crew;
size_t sf_crew_bytes(void);

/* crew: sf_crew_bytes() of memory, 8-byte aligned, that stay where they are until the crew is closed. threads: 1 to 64,
 * the calling one among them. Where the operating system gives fewer, the crew is smaller. */
sf_status sf_crew_open(sf_crew* crew, size_t bytes, uint32_t threads);
void sf_crew_close(sf_crew* crew);

/* Working memory of one thread in the calls below, a multiple of 64; 0 as sf_scratch_bytes(). */
size_t sf_thread_bytes(const sf_program* program, uint32_t block, uint32_t row_tile);

/* What a loss is wanted of: weights that are moved by amount * eps * z(direction), on the samples first,
 * first + stride, ... */
typedef struct sf_trial {
    uint32_t direction;
    int32_t amount; /* -1, 0 or +1 */
    int32_t ascent; /* along SF_ASCENT, -127 .. 127 */
    uint32_t first, stride, rows;
} sf_trial;

/* sf_losses(), sf_logits() and sf_update() on the threads of a crew, or on the calling one if crew is NULL.
 * scratch->memory holds one working memory per thread, each of sf_thread_bytes(), one after the other; scratch->bytes
 * counts all of them. packs may be NULL: weights are then packed by every thread for every block of samples, tile by
 * tile. All trials of a step belong into one call; losses[i] is a sum over the samples of trials[i]. An update finds z
 * there if the losses of its step were computed before, both sides of each direction one after the other; it draws
 * again what is not there. plan: the plan by which the weights move, or NULL if they never do. The results depend on
 * none of this. */
sf_status sf_losses_threaded(const sf_program* program, const sf_plan* plan, const void* weights, const void* state,
                             const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x,
                             const int32_t* labels, uint32_t n, uint32_t step, const sf_trial* trials, uint32_t count,
                             int64_t* losses);
/* The same; the samples also add to the gradient of the plan's tail, if it has one, for the next update. */
sf_status sf_gather_threaded(const sf_program* program, const sf_plan* plan, const void* weights, void* state,
                             const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x,
                             const int32_t* labels, uint32_t n, uint32_t step, const sf_trial* trials, uint32_t count,
                             int64_t* losses);
/* The same for a plan with curved votes: every sample with the weights as they are, and along each direction; then the
 * votes. losses[1 + plan->directions]; logits: working memory, (1 + plan->directions) * n * classes. n <= 16384. */
sf_status sf_curve_threaded(const sf_program* program, const sf_plan* plan, const void* weights, void* state,
                            const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x,
                            const int32_t* labels, uint32_t n, uint32_t step, int64_t* losses, int32_t* logits,
                            int8_t* votes);
sf_status sf_logits_threaded(const sf_program* program, const sf_plan* plan, const void* weights,
                             const sf_scratch* scratch, sf_crew* crew, sf_packs* packs, const int8_t* x, uint32_t n,
                             int32_t* logits);
sf_status sf_update_threaded(const sf_program* program, const sf_plan* plan, void* weights, void* state, uint32_t step,
                             const int8_t* votes, sf_crew* crew, const sf_packs* packs);

/* Whether hosts multiply a convolution in Winograd's tiles, which need a bit more room in its weights: it is 3x3 of
 * stride one, has channels enough to pay for the transforms, and not too many positions that only fill up tiles. Few
 * rows have a layout of their own. channels and rows: of one group. quantization/winograd.py has the same rule. */
uint32_t sf_winograd_suits(uint32_t kernel_h, uint32_t kernel_w, uint32_t stride_h, uint32_t stride_w,
                           uint32_t dilation_h, uint32_t dilation_w, uint32_t channels, uint32_t rows, uint32_t out_h,
                           uint32_t out_w);

/* a^-1 b of a symmetric positive definite a, by elimination without pivots (contract, section 13). Numbers are signed,
 * of 128 bits, least bytes first, with 32 bits of fraction; a: size * size and b: size * columns, both overwritten;
 * found: size * columns; all 16-byte aligned. SF_TOO_LARGE where a step does not fit 128 bits, or the machine has none:
 * then nothing is found. */
sf_status sf_solve(void* a, void* b, uint32_t size, uint32_t columns, void* found);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
