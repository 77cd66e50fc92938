/* One forward pass, or one step, of a program: what instructions.py counts under callgrind.
 * usage: count_instructions PROGRAM.sfp PLAN.sft forward|step SAMPLES */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stepforward.h"

#define ROW_TILE 64

static void fail(const char* what)
{
    fprintf(stderr, "count_instructions: %s\n", what);
    exit(1);
}

static void* reserve(size_t bytes)
{
    void* memory = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (memory == NULL)
        fail("no memory");
    return memset(memory, 0, (bytes + 64) / 64 * 64);
}

static void* load(const char* path, size_t* bytes)
{
    FILE* file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        fail(path);
    *bytes = (size_t)ftell(file);
    rewind(file);
    void* content = reserve(*bytes);
    if (fread(content, 1, *bytes, file) != *bytes)
        fail(path);
    fclose(file);
    return content;
}

int main(int count, char** words)
{
    if (count != 5)
        fail("usage: count_instructions PROGRAM.sfp PLAN.sft forward|step SAMPLES");
    size_t program_bytes, plan_bytes;
    void *sfp = load(words[1], &program_bytes), *sft = load(words[2], &plan_bytes);
    const uint32_t samples = (uint32_t)atoi(words[4]);
    sf_program program;
    sf_plan plan;
    if (sf_program_open(&program, sfp, program_bytes) != SF_OK ||
        sf_plan_open(&plan, &program, sft, plan_bytes) != SF_OK)
        fail("the core refuses the files");

    void* weights = reserve(plan.weights_bytes);
    sf_plan_weights(&plan, &program, weights);
    const size_t bytes = sf_scratch_bytes(&program, samples, ROW_TILE);
    const sf_scratch scratch = {reserve(bytes), bytes, samples, ROW_TILE};
    int8_t* x = reserve((size_t)samples * program.input_bytes);
    for (size_t i = 0; i < (size_t)samples * program.input_bytes; i++)
        x[i] = (int8_t)((i * 37 + 11) % 251); /* fixed, and no zeros in a row */
    int32_t* labels = reserve(samples * sizeof *labels);
    int32_t* logits = reserve((size_t)samples * program.classes * sizeof *logits);

    sf_status status;
    if (strcmp(words[3], "forward") == 0) {
        status = sf_logits(&program, &plan, weights, &scratch, x, samples, logits);
    } else {
        sf_trainer trainer = {&program, &plan, weights, NULL, scratch, NULL, 0, {0}};
        status = sf_train_step(&trainer, x, labels, samples);
    }
    if (status != SF_OK)
        fail(sf_status_text(status));
    return 0;
}
