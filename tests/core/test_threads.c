/* Threads, crews and packed weights change nothing: the threaded calls give what the plain ones give, with buffers
 * exactly as large as promised (the sanitizer builds watch).
 *
 * Usage: test_threads FOLDER, written by make_example.py. */
#define _POSIX_C_SOURCE 200112L
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes.h"
#include "stepforward_host.h"

enum { ROWS = 16, BLOCK = 2, SAMPLES = 5, STEPS = 4, MOST_TRIALS = 5 };

static void* aligned(size_t bytes)
{
    void* memory = NULL;
    CHECK(posix_memalign(&memory, 64, bytes) == 0);
    return memory;
}

/* The first on all samples, the others on some. */
static const sf_trial TRIALS[MOST_TRIALS] = {
    {0, 1, 0, 0, 1, SAMPLES}, {0, -1, 0, 0, 1, SAMPLES}, {0, 0, 3, 4, 1, 1}, {1, -1, 0, 1, 2, 2}, {1, 1, 0, 0, 2, 3}};

typedef struct task {
    sf_program program;
    sf_plan plan;
    const int8_t* x;
    const int32_t* y;
    uint8_t* weights;
    void* state;
    int32_t* logits;
} task;

/* A few steps and what they computed on the way: losses of every step, then logits and weights. With z of `directions`
 * kept, each direction has a call of its own, after one that left other packed weights. */
static void train(task* t, uint32_t threads, uint32_t copies, uint32_t directions, int64_t losses[STEPS][MOST_TRIALS])
{
    const size_t slice = sf_thread_bytes(&t->program, BLOCK, ROWS);
    const size_t packs_bytes = copies > 0 ? sf_packs_bytes(&t->program, ROWS, copies, directions) : 0;
    const sf_scratch scratch = {aligned(slice * threads), slice * threads, BLOCK, ROWS};
    sf_packs packs = {aligned(packs_bytes + 1), packs_bytes, copies, directions, 0, 0, 0},
             *given = copies > 0 ? &packs : NULL;
    sf_crew* crew = malloc(sf_crew_bytes());
    CHECK(crew != NULL && sf_crew_open(crew, sf_crew_bytes(), threads) == SF_OK);
    sf_plan_weights(&t->plan, &t->program, t->weights);
    memset(t->state, 0, t->plan.state_bytes);
    for (uint32_t step = 0; step < STEPS; step++) {
        const int8_t votes[2] = {1, -1};
        const uint32_t calls[3][2] = {{2, 1}, {0, 2}, {3, 2}}; /* first trial, trials */
        for (uint32_t i = 0; directions > 0 && i < 3; i++)
            CHECK(sf_losses_threaded(&t->program, &t->plan, t->weights, t->state, &scratch, crew, given, t->x, t->y,
                                     SAMPLES, step, TRIALS + calls[i][0], calls[i][1],
                                     losses[step] + calls[i][0]) == SF_OK);
        if (directions == 0)
            CHECK(sf_losses_threaded(&t->program, &t->plan, t->weights, t->state, &scratch, crew, given, t->x, t->y,
                                     SAMPLES, step, TRIALS, MOST_TRIALS, losses[step]) == SF_OK);
        if (directions > 0 && copies % 2 == 0 && copies > 0)
            CHECK(packs.drawn == 1 + step && packs.held == (directions < 2 ? directions : 2));
        CHECK(sf_logits_threaded(&t->program, &t->plan, t->weights, &scratch, crew, given, t->x, SAMPLES, t->logits) ==
              SF_OK);
        CHECK(sf_update_threaded(&t->program, &t->plan, t->weights, t->state, step, votes, crew, given) == SF_OK);
    }
    sf_crew_close(crew);
    free(crew);
    free(packs.memory);
    free(scratch.memory);
}

/* The same by the plain calls, one thread, nothing packed ahead. */
static void train_plainly(task* t, int64_t losses[STEPS][MOST_TRIALS])
{
    const size_t bytes = sf_scratch_bytes(&t->program, 1, SF_DEVICE_ROWS);
    const sf_scratch scratch = {aligned(bytes), bytes, 1, SF_DEVICE_ROWS};
    sf_plan_weights(&t->plan, &t->program, t->weights);
    memset(t->state, 0, t->plan.state_bytes);
    for (uint32_t step = 0; step < STEPS; step++) {
        const int8_t votes[2] = {1, -1};
        for (uint32_t i = 0; i < MOST_TRIALS; i++) {
            const sf_trial* of = TRIALS + i;
            const sf_perturbation move = {(of->amount | of->ascent) != 0 ? step : 0, of->direction, of->amount,
                                          of->ascent};
            losses[step][i] = 0;
            for (uint32_t k = 0, at = of->first; k < of->rows; k++, at += of->stride) {
                int64_t one;
                CHECK(sf_losses(&t->program, &t->plan, t->weights, t->state, &scratch,
                                t->x + at * t->program.input_bytes, t->y + at, 1, &move, 1, &one) == SF_OK);
                losses[step][i] += one;
            }
        }
        CHECK(sf_logits(&t->program, &t->plan, t->weights, &scratch, t->x, SAMPLES, t->logits) == SF_OK);
        CHECK(sf_update(&t->program, &t->plan, t->weights, t->state, step, votes) == SF_OK);
    }
    free(scratch.memory);
}

/* A child of a fork has none of its parent's threads, and works on. */
static void fork_with_a_crew(void)
{
    sf_crew* crew = malloc(sf_crew_bytes());
    CHECK(crew != NULL && sf_crew_open(crew, sf_crew_bytes(), 3) == SF_OK);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        sf_crew_close(crew);
        _exit(7);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    sf_crew_close(crew);
    free(crew);
}

static void refusals(const task* t)
{
    const sf_trial none = {0, 0, 0, 0, 1, SAMPLES};
    int64_t loss;
    const size_t slice = sf_thread_bytes(&t->program, BLOCK, ROWS), need = sf_packs_bytes(&t->program, ROWS, 1, 0);
    sf_scratch scratch = {aligned(slice), slice, BLOCK, ROWS};
    sf_packs packs = {aligned(need), need - 1, 1, 0, 0, 0, 0};
    sf_crew* crew = malloc(sf_crew_bytes());
    CHECK(sf_packs_bytes(&t->program, SF_DEVICE_ROWS, 1, 0) == 0 && sf_packs_bytes(&t->program, ROWS, 0, 0) == 0);
    CHECK(sf_losses_threaded(&t->program, &t->plan, t->weights, t->state, &scratch, NULL, &packs, t->x, t->y, SAMPLES,
                             0, &none, 1, &loss) == SF_SCRATCH_TOO_SMALL);
    packs.bytes = need;
    packs.memory = (uint8_t*)packs.memory + 8;
    CHECK(sf_losses_threaded(&t->program, &t->plan, t->weights, t->state, &scratch, NULL, &packs, t->x, t->y, SAMPLES,
                             0, &none, 1, &loss) == SF_MISALIGNED);
    packs.memory = (uint8_t*)packs.memory - 8;
    CHECK(crew != NULL && sf_crew_open(crew, sf_crew_bytes(), 0) == SF_BAD_ARGUMENT);
    CHECK(sf_crew_open(crew, sf_crew_bytes(), 65) == SF_BAD_ARGUMENT &&
          sf_crew_open(crew, sf_crew_bytes() - 1, 2) == SF_BAD_ARGUMENT);
    CHECK(sf_crew_open(crew, sf_crew_bytes(), 2) == SF_OK);
    CHECK(sf_losses_threaded(&t->program, &t->plan, t->weights, t->state, &scratch, crew, NULL, t->x, t->y, SAMPLES, 0,
                             &none, 1, &loss) == SF_SCRATCH_TOO_SMALL); /* one slice for two threads */
    sf_crew_close(crew);
    free(crew);
    free(packs.memory);
    free(scratch.memory);
}

static void compare(const char* folder, uint32_t number, const char* program, const char* plan)
{
    task t = {0};
    const blob sfp = read_file(folder, program), sft = read_file(folder, plan);
    const blob x = read_file(folder, "samples"), y = read_file(folder, "labels");
    CHECK(sf_program_open(&t.program, sfp.bytes, sfp.size) == SF_OK &&
          sf_plan_open(&t.plan, &t.program, sft.bytes, sft.size) == SF_OK);
    t.x = (const int8_t*)x.bytes;
    t.y = (const int32_t*)(const void*)y.bytes;
    t.weights = aligned(t.plan.weights_bytes);
    t.state = malloc(t.plan.state_bytes + 1);
    const size_t logits_bytes = (size_t)SAMPLES * t.program.classes * sizeof(int32_t);
    t.logits = malloc(logits_bytes);
    CHECK(t.state != NULL && t.logits != NULL && t.plan.directions == 2);

    int64_t expected[STEPS][MOST_TRIALS], losses[STEPS][MOST_TRIALS];
    train_plainly(&t, expected);
    uint8_t* weights = malloc(t.plan.weights_bytes);
    int32_t* logits = malloc(logits_bytes);
    CHECK(weights != NULL && logits != NULL);
    memcpy(weights, t.weights, t.plan.weights_bytes);
    memcpy(logits, t.logits, logits_bytes);
    /* Every two of the three together for each example, and every three for one of four. */
    for (uint32_t threads = 1; threads <= 4; threads++)
        for (uint32_t copies = 0; copies <= MOST_TRIALS; copies++) {
            const uint32_t directions = (number + threads + copies) % 4;
            train(&t, threads, copies, directions, losses);
            CHECK(memcmp(losses, expected, sizeof losses) == 0);
            CHECK(memcmp(t.logits, logits, logits_bytes) == 0);
            CHECK(memcmp(t.weights, weights, t.plan.weights_bytes) == 0);
        }
    refusals(&t);
    free(sfp.bytes);
    free(sft.bytes);
    free(x.bytes);
    free(y.bytes);
    free(weights);
    free(logits);
    free(t.weights);
    free(t.state);
    free(t.logits);
}

int main(int argc, char** argv)
{
    CHECK(argc == 2);
    compare(argv[1], 0, "program.sfp", "plan.sft");
    compare(argv[1], 1, "head.sfp", "head.sft");     /* operators before the cut */
    compare(argv[1], 2, "bytes.sfp", "bytes.sft");   /* 8-bit weights */
    compare(argv[1], 3, "wide.sfp", "wide.sft");     /* and rows longer than what they are packed into */
    compare(argv[1], 4, "padded.sfp", "padded.sft"); /* windows that see nothing of the image */
    fork_with_a_crew();
    puts("threads: ok");
    return 0;
}
