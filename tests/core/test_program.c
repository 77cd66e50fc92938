/* A whole program from files: training on it as a device does gives the reference's votes, weights and logits; damaged
 * copies of it never lead a kernel out of its buffers (the sanitizer build watches).
 *
 * Usage: test_program FOLDER, written by make_example.py. */
#include "bytes.h"
#include "stepforward.h"

enum { STEPS = 20, SAMPLES = 5, DIRECTIONS = 2 };

typedef struct example {
    blob sfp, sft, samples, labels, votes, weights, logits;
} example;

/* Train with every buffer exactly as large as promised. Returns the first status that is not SF_OK. */
static sf_status train(uint32_t row_tile, blob sfp, blob sft, const int8_t* x, const int32_t* y, uint32_t n,
                       uint32_t steps, const example* expected)
{
    sf_program program;
    sf_plan plan;
    sf_status status = sf_program_open(&program, sfp.bytes, sfp.size);
    if (status != SF_OK)
        return status;
    status = sf_plan_open(&plan, &program, sft.bytes, sft.size);
    if (status != SF_OK)
        return status;
    const uint32_t block = row_tile == SF_DEVICE_ROWS ? 1 : 3;
    const size_t bytes = sf_scratch_bytes(&program, block, row_tile);
    if (bytes == 0 || bytes > (size_t)1 << 22 || (size_t)n * program.input_bytes > (size_t)1 << 22)
        return SF_TOO_LARGE;

    sf_trainer trainer = {0};
    trainer.program = &program;
    trainer.plan = &plan;
    trainer.weights = malloc(plan.weights_bytes);
    trainer.state = calloc(plan.state_bytes + 1u, 1);
    trainer.scratch.memory = malloc(bytes);
    trainer.scratch.bytes = bytes;
    trainer.scratch.block = block;
    trainer.scratch.row_tile = row_tile;
    int8_t* samples = malloc((size_t)n * program.input_bytes + 1);
    int32_t* logits = malloc((size_t)n * program.classes * sizeof(int32_t));
    CHECK(trainer.weights && trainer.state && trainer.scratch.memory && samples && logits);
    sf_plan_weights(&plan, &program, trainer.weights);
    for (size_t i = 0; i < (size_t)n * program.input_bytes; i++)
        samples[i] = expected != NULL ? x[i] : (int8_t)(i * 37);

    for (uint32_t step = 0; step < steps && status == SF_OK; step++) {
        status = sf_train_step(&trainer, samples, y, n);
        if (expected != NULL)
            CHECK(status == SF_OK && memcmp(trainer.votes, expected->votes.bytes + step * DIRECTIONS, DIRECTIONS) == 0);
    }
    if (status == SF_OK)
        status = sf_logits(&program, &plan, trainer.weights, &trainer.scratch, samples, n, logits);
    if (expected != NULL && row_tile == SF_DEVICE_ROWS) { /* and in the memory of a device that only runs the network */
        free(trainer.scratch.memory);
        trainer.scratch.bytes = sf_inference_bytes(&program, block);
        trainer.scratch.memory = malloc(trainer.scratch.bytes);
        CHECK(trainer.scratch.memory != NULL && trainer.scratch.bytes <= bytes);
        memset(logits, 0, (size_t)n * program.classes * sizeof(int32_t));
        status = sf_logits(&program, &plan, trainer.weights, &trainer.scratch, samples, n, logits);
    }
    if (expected != NULL) {
        CHECK(status == SF_OK && plan.weights_bytes == expected->weights.size);
        CHECK(memcmp(trainer.weights, expected->weights.bytes, expected->weights.size) == 0);
        CHECK(memcmp(logits, expected->logits.bytes, expected->logits.size) == 0);
    }
    free(trainer.weights);
    free(trainer.state);
    free(trainer.scratch.memory);
    free(samples);
    free(logits);
    return status;
}

/* Hostile values in every word before the weights, with the checksum made right again. */
static void hostile_programs(const example* e, const int32_t* y)
{
    const uint32_t values[] = {0, 1, 2, 7, 255, 65535, 65537, 0x7fffffffu, 0x80000000u, 0xffffffffu};
    const uint32_t end = word(e->sfp.bytes + 52);
    blob copy = {malloc(e->sfp.size), e->sfp.size};
    int accepted = 0, refused = 0;
    CHECK(copy.bytes != NULL);
    for (uint32_t at = 24; at < end; at += 4)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            memcpy(copy.bytes, e->sfp.bytes, copy.size);
            put(copy.bytes + at, values[v]);
            const uint32_t covered =
                word(copy.bytes + 52) > 16 && word(copy.bytes + 52) <= copy.size ? word(copy.bytes + 52) : end;
            put(copy.bytes + 12, sf_crc32(0, copy.bytes + 16, covered - 16));
            if (train(SF_DEVICE_ROWS, copy, e->sft, NULL, y, 1, 1, NULL) == SF_OK)
                accepted++;
            else
                refused++;
        }
    CHECK(accepted > 0 && refused > accepted);
    printf("hostile programs: %d refused, %d ran inside their buffers\n", refused, accepted);
    free(copy.bytes);
}

static void hostile_plans(const example* e, const int32_t* y)
{
    const uint32_t values[] = {0, 1, 2, 7, 255, 65535, 65537, 0x7fffffffu, 0x80000000u, 0xffffffffu};
    blob copy = {malloc(e->sft.size), e->sft.size};
    CHECK(copy.bytes != NULL);
    for (uint32_t at = 16; at < e->sft.size; at += 4)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            memcpy(copy.bytes, e->sft.bytes, copy.size);
            put(copy.bytes + at, values[v]);
            put(copy.bytes + 12, sf_crc32(0, copy.bytes + 16, copy.size - 16));
            train(SF_DEVICE_ROWS, e->sfp, copy, NULL, y, 1, 1, NULL);
        }
    free(copy.bytes);
}

static void truncated_files(const example* e)
{
    for (size_t size = 0; size < e->sfp.size; size += size < 200 ? 1 : 97) {
        sf_program program;
        uint8_t* part = malloc(size + 1);
        CHECK(part != NULL);
        memcpy(part, e->sfp.bytes, size);
        CHECK(sf_program_open(&program, part, size) == (size < 4 ? SF_BAD_MAGIC : SF_TRUNCATED));
        free(part);
    }
    sf_program program;
    sf_plan plan;
    CHECK(sf_program_open(&program, e->sfp.bytes, e->sfp.size) == SF_OK);
    for (size_t size = 0; size < e->sft.size; size++) {
        uint8_t* part = malloc(size + 1);
        CHECK(part != NULL);
        memcpy(part, e->sft.bytes, size);
        CHECK(sf_plan_open(&plan, &program, part, size) == (size < 4 ? SF_BAD_MAGIC : SF_TRUNCATED));
        free(part);
    }
}

static void what_is_refused(const example* e)
{
    sf_program program;
    uint8_t memory[16];
    sf_scratch scratch = {memory, sizeof memory, 1, SF_DEVICE_ROWS};
    int32_t logits[4];
    CHECK(sf_program_open(&program, e->sfp.bytes + 1, e->sfp.size) == SF_MISALIGNED);
    CHECK(sf_program_open(&program, e->sfp.bytes, e->sfp.size) == SF_OK);
    CHECK(sf_logits(&program, NULL, sf_program_weights(&program), &scratch, (const int8_t*)e->samples.bytes, 1,
                    logits) == SF_SCRATCH_TOO_SMALL);
    CHECK(sf_scratch_bytes(&program, 0, 4) == 0 && sf_scratch_bytes(&program, 1, 5) == 0);
    CHECK(sf_scratch_bytes(&program, 4, 16) > sf_scratch_bytes(&program, 1, 4));
    const uint32_t most = (uint32_t)INT32_MAX / program.arena_bytes;
    CHECK(sf_scratch_bytes(&program, most, 16) > 0 && sf_scratch_bytes(&program, most + 1, 16) == 0);
    for (int status = SF_OK; status <= SF_NO_THREAD; status++)
        CHECK(strcmp(sf_status_text((sf_status)status), "unknown status") != 0);
}

static example read_example(const char* folder)
{
    const example e = {read_file(folder, "program.sfp"), read_file(folder, "plan.sft"), read_file(folder, "samples"),
                       read_file(folder, "labels"),      read_file(folder, "votes"),    read_file(folder, "weights"),
                       read_file(folder, "logits")};
    return e;
}

static void free_example(example* e)
{
    blob* all[] = {&e->sfp, &e->sft, &e->samples, &e->labels, &e->votes, &e->weights, &e->logits};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]->bytes);
}

/* As a device and as a host, with tiles of one panel and with larger ones. */
static void train_every_way(const example* e)
{
    const int32_t* y = (const int32_t*)(const void*)e->labels.bytes;
    const uint32_t row_tiles[] = {SF_DEVICE_ROWS, 16, 48};
    for (size_t i = 0; i < sizeof row_tiles / sizeof *row_tiles; i++)
        CHECK(train(row_tiles[i], e->sfp, e->sft, (const int8_t*)e->samples.bytes, y, SAMPLES, STEPS, e) == SF_OK);
}

int main(int count, char** arguments)
{
    CHECK(count == 2);
    char folder[1024];
    example e = read_example(arguments[1]);
    const int32_t* y = (const int32_t*)(const void*)e.labels.bytes;
    train_every_way(&e);
    truncated_files(&e);
    what_is_refused(&e);
    hostile_plans(&e, y);
    hostile_programs(&e, y);
    free_example(&e);
    const char* others[] = {"convolutions", "rows"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(folder, sizeof folder, "%s/%s", arguments[1], others[i]);
        e = read_example(folder);
        train_every_way(&e);
        free_example(&e);
    }
    puts("program: ok");
    return 0;
}
