/* Trains the networks of a file and prints what came of each: on a host in the way of a device and with the host's own
 * kernels, on a board from flash.
 *
 * The file (tests/support/graph_file.py), little-endian, every piece filled up to 16 bytes: how many networks; then of
 * each the bytes of program and plan, samples and steps; the program, the plan, the samples, the labels.
 *
 * A line: the network, the way, checksums of the logits, the loss, checksums of all votes, of the trained weights, and
 * of the logits after them. */
#include "stepforward.h"

#define LARGEST_ALIGNMENT 64

#if __STDC_HOSTED__
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RAM (64u << 20)
#define HOST_ROWS 64u

static void print_text(const char* text) { fputs(text, stdout); }
static void print_number(int64_t value) { printf(" %" PRId64, value); }
static void print_line(void) { puts(""); }

static void check(sf_status status, const char* what)
{
    if (status != SF_OK) {
        printf("%s: %s\n", what, sf_status_text(status));
        exit(1);
    }
}
#else
#include "facts.h"
#include "print.h"

#define RAM (200u << 10)
extern const uint8_t graphs[], graphs_end[];
#endif

typedef struct graph {
    const uint8_t *program, *plan;
    uint32_t program_bytes, plan_bytes, samples, steps;
    const int8_t* x;
    const int32_t* labels;
} graph;

static uint8_t ram[RAM] __attribute__((aligned(LARGEST_ALIGNMENT)));
static size_t ram_used;

static void* take(size_t bytes)
{
    const size_t rounded = (bytes + LARGEST_ALIGNMENT - 1) / LARGEST_ALIGNMENT * LARGEST_ALIGNMENT;
    if (rounded > sizeof ram - ram_used)
        check(SF_TOO_LARGE, "memory");
    void* place = ram + ram_used;
    ram_used += rounded;
    return place;
}

static const uint8_t* after(const uint8_t* at, size_t bytes) { return at + (bytes + 15) / 16 * 16; }

/* What lies at `at`; returns what follows. */
static const uint8_t* read(const uint8_t* at, sf_program* program, sf_plan* plan, graph* g)
{
    const uint32_t* sizes = (const uint32_t*)(const void*)at;
    g->program_bytes = sizes[0];
    g->plan_bytes = sizes[1];
    g->samples = sizes[2];
    g->steps = sizes[3];
    g->program = at + 16;
    g->plan = after(g->program, g->program_bytes);
    check(sf_program_open(program, g->program, g->program_bytes), "program");
    check(sf_plan_open(plan, program, g->plan, g->plan_bytes), "plan");
    const uint8_t* x = after(g->plan, g->plan_bytes);
    const uint8_t* labels = after(x, (size_t)g->samples * program->input_bytes);
    g->x = (const int8_t*)x;
    g->labels = (const int32_t*)(const void*)labels;
    return after(labels, g->samples * sizeof(int32_t));
}

static void print_logits(const graph* g, const sf_trainer* t, int32_t* logits)
{
    uint32_t sum = 0;
    for (uint32_t i = 0, some; i < g->samples; i += some) {
        some = t->scratch.block < g->samples - i ? t->scratch.block : g->samples - i;
        check(sf_logits(t->program, t->plan, t->weights, &t->scratch, g->x + (size_t)i * t->program->input_bytes, some,
                        logits),
              "logits");
        sum = sf_crc32(sum, logits, (size_t)some * t->program->classes * sizeof *logits);
    }
    print_number(sum);
}

static void train(uint32_t number, const graph* g, const sf_program* program, const sf_plan* plan, const char* way,
                  uint32_t block, uint32_t rows)
{
    const sf_perturbation none = {0, 0, 0, 0};
    sf_trainer t = {program, plan, NULL, NULL, {NULL, 0, block, rows}, NULL, 0, {0}};
    int64_t loss;
    uint32_t votes = 0;
    ram_used = 0;
    t.weights = take(plan->weights_bytes);
    sf_plan_weights(plan, program, t.weights);
    t.state = take(plan->state_bytes);
    __builtin_memset(t.state, 0, plan->state_bytes);
    int32_t* logits = take(block * program->classes * sizeof *logits);
    t.scratch.bytes = sf_scratch_bytes(program, block, rows);
    t.scratch.memory = take(t.scratch.bytes);

    print_text("graph");
    print_number(number);
    print_text(way);
    print_logits(g, &t, logits);
    check(sf_losses(program, plan, t.weights, t.state, &t.scratch, g->x, g->labels, g->samples, &none, 1, &loss),
          "losses");
    print_number(loss);
    for (uint32_t step = 0; step < g->steps; step++) {
        check(sf_train_step(&t, g->x, g->labels, g->samples), "step");
        votes = sf_crc32(votes, t.votes, plan->directions);
    }
    print_number(votes);
    print_number(sf_crc32(0, t.weights, plan->weights_bytes));
    print_logits(g, &t, logits);
    print_line();
}

static void train_all(const uint8_t* file)
{
    const uint32_t count = *(const uint32_t*)(const void*)file;
    const uint8_t* at = file + 16;
    for (uint32_t i = 0; i < count; i++) {
        sf_program program;
        sf_plan plan;
        graph g;
        at = read(at, &program, &plan, &g);
        train(i, &g, &program, &plan, " device", 1, SF_DEVICE_ROWS);
#if __STDC_HOSTED__
        train(i, &g, &program, &plan, " host", 2, HOST_ROWS);
#endif
    }
    print_text("done");
    print_line();
}

#if __STDC_HOSTED__
int main(int argc, char** argv)
{
    FILE* file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        return 2;
    const size_t bytes = (size_t)ftell(file);
    uint8_t* content = malloc(bytes);
    rewind(file);
    if (content == NULL || fread(content, 1, bytes, file) != bytes)
        return 2;
    fclose(file);
    train_all(content);
    free(content);
    return 0;
}
#else
int main(void)
{
    train_all(graphs);
    return 0;
}
#endif
