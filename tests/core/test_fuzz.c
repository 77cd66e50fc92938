/* Programs, plans and the calls that write a journal, changed at random with checksums made right again: whatever is
 * accepted runs in buffers exactly as large as promised (the sanitizers watch), and a journal holds what was written
 * although its sink fails.
 *
 * Usage: test_fuzz FOLDER [RUNS [SEED [program|plan|journal [FIRST]]]], FOLDER written by make_example.py, with plans
 * of every section in FOLDER/plans. The n-th input of a seed is always the same; a failure names it. */
#include "bytes.h"
#include "stepforward.h"

enum { LARGEST = 1 << 20 };

static const char* parser;
static unsigned long long seed, number;
static unsigned long long state;

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
static void name_input(void) { fprintf(stderr, "%s: input %llu of seed %llu\n", parser, number, seed); }

static uint64_t draw(void) /* splitmix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t below(uint32_t n) { return (uint32_t)(draw() % n); }

/* A word at some edge, near what it was, or anything. */
static uint32_t changed(uint32_t v)
{
    static const uint32_t edges[] = {0,        1,           2,           3,           4,          7,        8,
                                     16,       47,          48,          127,         128,        255,      256,
                                     32767,    32768,       65535,       65536,       1u << 22,   1u << 24, 1u << 28,
                                     1u << 30, 0x7fffffffu, 0x80000000u, 0xfffffffeu, 0xffffffffu};
    switch (below(6)) {
    case 0: return v + below(9) - 4;
    case 1: return v ^ 1u << below(32);
    case 2: return v * (2 + below(3));
    case 3: return (uint32_t)draw();
    default: return edges[below(sizeof edges / sizeof *edges)];
    }
}

/* What a plan that matches does with a stream. */
static void follow(const sf_program* program, const sf_plan* plan)
{
    const uint32_t n = 3;
    const size_t bytes = sf_match_bytes(program);
    if (bytes == 0 || bytes > LARGEST || program->input_bytes > LARGEST || program->classes > LARGEST / 8 ||
        plan->state_bytes > LARGEST)
        return;
    const sf_scratch scratch = {malloc(bytes), bytes, 1, SF_DEVICE_ROWS};
    void* state = calloc(plan->state_bytes, 1);
    int8_t* samples = malloc((size_t)n * program->input_bytes);
    int32_t* logits = malloc((size_t)n * program->classes * sizeof(int32_t));
    CHECK(scratch.memory && state && samples && logits);
    for (size_t i = 0; i < (size_t)n * program->input_bytes; i++)
        samples[i] = (int8_t)draw();
    for (uint32_t step = 0; step < 2; step++) {
        CHECK(sf_match_logits(program, plan, state, &scratch, samples, n, 1, logits) == SF_OK);
        CHECK(sf_match_refresh(program, plan, state) == SF_OK);
    }
    CHECK(sf_match_logits(program, plan, state, &scratch, samples, n, 0, logits) == SF_OK);
    free(scratch.memory);
    free(state);
    free(samples);
    free(logits);
}

static void run_accepted(const sf_program* program, const sf_plan* plan, uint32_t row_tile)
{
    if (plan->sites != NULL) {
        follow(program, plan);
        return;
    }
    const uint32_t n = 2, block = row_tile == SF_DEVICE_ROWS ? 1 : 2;
    const size_t bytes = sf_scratch_bytes(program, block, row_tile);
    if (bytes == 0 || bytes > LARGEST || program->input_bytes > LARGEST || program->classes > LARGEST / 8 ||
        plan->weights_bytes > LARGEST || plan->state_bytes > LARGEST || plan->directions > 4)
        return;
    sf_trainer trainer = {0};
    trainer.program = program;
    trainer.plan = plan;
    trainer.weights = malloc(plan->weights_bytes + 0u);
    trainer.state = calloc(plan->state_bytes + 1u, 1);
    trainer.scratch.memory = malloc(bytes);
    trainer.scratch.bytes = bytes;
    trainer.scratch.block = block;
    trainer.scratch.row_tile = row_tile;
    int8_t* samples = malloc((size_t)n * program->input_bytes);
    int32_t* logits = malloc((size_t)n * program->classes * sizeof(int32_t));
    CHECK(trainer.weights && trainer.state && trainer.scratch.memory && samples && logits);
    sf_plan_weights(plan, program, trainer.weights);
    for (size_t i = 0; i < (size_t)n * program->input_bytes; i++)
        samples[i] = (int8_t)draw();
    const int32_t labels[2] = {0, (int32_t)below(program->classes)};
    trainer.step = plan->first_step;
    for (uint32_t step = 0; step < 2 && trainer.step < plan->steps; step++)
        CHECK(sf_train_step(&trainer, samples, labels, n) == SF_OK);
    CHECK(sf_logits(program, plan, trainer.weights, &trainer.scratch, samples, n, logits) == SF_OK);
    free(trainer.weights);
    free(trainer.state);
    free(trainer.scratch.memory);
    free(samples);
    free(logits);
}

/* The file cut to an allocation of its own size, so that a read past its end shows. */
static uint8_t* own(const uint8_t* bytes, size_t size)
{
    uint8_t* copy = malloc(size + (size == 0));
    CHECK(copy != NULL);
    memcpy(copy, bytes, size);
    return copy;
}

static int try_both(blob sfp, blob sft)
{
    sf_program program;
    sf_plan plan;
    const int accepted = sf_program_open(&program, sfp.bytes, sfp.size) == SF_OK &&
                         sf_plan_open(&plan, &program, sft.bytes, sft.size) == SF_OK;
    if (accepted)
        run_accepted(&program, &plan, below(2) ? SF_DEVICE_ROWS : 16 * (1 + below(3)));
    return accepted;
}

static int fuzz_program(blob sfp, blob sft)
{
    const uint32_t weights = word(sfp.bytes + 52);
    blob b = {own(sfp.bytes, sfp.size), sfp.size};
    for (uint32_t changes = 1 + below(3); changes > 0; changes--) {
        const uint32_t at = below(8) == 0 ? 8 + 4 * below(30) : 128 + 4 * below((weights - 128) / 4);
        put(b.bytes + at, changed(word(b.bytes + at)));
    }
    if (below(20) == 0)
        b.size -= below((uint32_t)b.size);
    if (b.size >= 128) {
        const uint32_t offsets[2] = {word(b.bytes + 52), word(b.bytes + 60)},
                       sizes[2] = {word(b.bytes + 56), word(b.bytes + 64)};
        for (int i = 0; i < 2; i++)
            if ((uint64_t)offsets[i] + sizes[i] <= b.size)
                put(b.bytes + 16 + 4 * i, sf_crc32(0, b.bytes + offsets[i], sizes[i]));
        if (offsets[0] >= 24 && offsets[0] <= b.size)
            put(b.bytes + 12, sf_crc32(0, b.bytes + 16, offsets[0] - 16));
    }
    blob exact = {own(b.bytes, b.size), b.size};
    const int accepted = try_both(exact, sft);
    free(exact.bytes);
    free(b.bytes);
    return accepted;
}

static int fuzz_plan(blob sfp, blob sft)
{
    CHECK(sft.size >= 16);
    blob b = {own(sft.bytes, sft.size), sft.size};
    for (uint32_t changes = 1 + below(3); changes > 0; changes--) {
        const uint32_t at = 4 * (2 + below((uint32_t)b.size / 4 - 2));
        put(b.bytes + at, changed(word(b.bytes + at)));
    }
    if (below(20) == 0)
        b.size -= below((uint32_t)b.size);
    const uint32_t claimed = b.size >= 16 ? word(b.bytes + 8) : 0;
    if (claimed >= 16 && claimed <= b.size)
        put(b.bytes + 12, sf_crc32(0, b.bytes + 16, claimed - 16));
    blob exact = {own(b.bytes, b.size), b.size};
    const int accepted = try_both(sfp, exact);
    free(exact.bytes);
    free(b.bytes);
    return accepted;
}

/* ---- journal */

enum { MOST_VOTES = 4096 };

typedef struct kept {
    uint8_t bytes[65536];
    size_t size;
    int failing; /* one piece in so many is not kept; 0: none */
} kept;

static int keep(void* context, const void* bytes, size_t count)
{
    kept* k = context;
    if (k->failing > 0 && below((uint32_t)k->failing) == 0)
        return 1;
    CHECK(k->size + count <= sizeof k->bytes);
    memcpy(k->bytes + k->size, bytes, count);
    k->size += count;
    return 0;
}

/* Read the records after `at` and compare them with the votes that were taken. Returns the number of votes. */
static uint32_t read_back(const kept* k, size_t at, uint32_t check, uint32_t directions, const int8_t* votes)
{
    uint32_t seen = 0;
    while (at < k->size) {
        const uint32_t type = k->bytes[at], count = k->bytes[at + 1], n = count * directions;
        const uint32_t sizes[] = {0, (n + 7) / 8, (2 * n + 7) / 8, n, 12, 5};
        CHECK(type >= 1 && type <= 5 && (count > 0) == (type <= 3));
        const uint8_t* payload = k->bytes + at + 2;
        CHECK(at + 2 + sizes[type] + 4 <= k->size);
        check = sf_crc32(check, k->bytes + at, 2 + sizes[type]);
        CHECK(word(payload + sizes[type]) == check);
        for (uint32_t i = 0; type <= 3 && i < n; i++) {
            const uint32_t two = payload[i / 4] >> (2 * (i % 4)) & 3u;
            const int vote = type == 1   ? (payload[i / 8] >> (i % 8) & 1 ? -1 : 1)
                             : type == 2 ? (two == 3 ? -1 : (int)two)
                                         : (int8_t)payload[i];
            CHECK(vote == votes[seen + i]);
        }
        seen += type <= 3 ? n : 0;
        at += 2 + sizes[type] + 4;
    }
    CHECK(at == k->size);
    return seen;
}

static int fuzz_journal(void)
{
    static kept k;
    static int8_t votes[MOST_VOTES + 255];
    const uint32_t directions = below(4) == 0 ? 1 + below(255) : 1 + below(8),
                   per_record = 1 + below(below(4) == 0 ? 255 : 9);
    const uint32_t largest = below(3);
    uint8_t* buffer = malloc(sf_journal_buffer_bytes(directions, per_record));
    CHECK(buffer != NULL);
    sf_journal journal;
    k.size = 0;
    k.failing = 0;
    CHECK(sf_journal_open(&journal, directions, per_record, buffer, "{}", 2, keep, &k) == SF_OK && k.size == 18);
    const uint32_t first = word(k.bytes + 14);
    CHECK(first == sf_crc32(0, k.bytes, 14));
    k.failing = below(2) ? 0 : 1 + (int)below(6);
    uint32_t taken = 0;
    for (uint32_t calls = below(60); calls > 0 && taken < MOST_VOTES - 255; calls--) {
        const uint32_t call = below(12);
        if (call == 0)
            sf_journal_flush(&journal);
        else if (call == 1)
            sf_journal_evaluation(&journal, (uint32_t)draw(), (int64_t)draw());
        else {
            for (uint32_t i = 0; i < directions; i++)
                votes[taken + i] = (int8_t)(largest == 2   ? (int)draw()
                                            : largest == 1 ? (int)below(3) - 1
                                                           : 1 - 2 * (int)below(2));
            if (sf_journal_votes(&journal, votes + taken, 0) == SF_OK)
                taken += directions;
        }
    }
    k.failing = 0;
    CHECK(sf_journal_end(&journal, taken / directions, 0) == SF_OK);
    CHECK(read_back(&k, 18, first, directions, votes) == taken);
    free(buffer);
    return 1;
}

/* Programs, each with a plan: one for every section and option. */
static const char* const plans[] = {"plain",   "head",   "tail",   "two layers", "fractions", "together",
                                    "graded",  "curved", "guided", "sharp",      "adam",      "masked",
                                    "sampled", "bits",   "leg",    "matching"};
enum { PLANS = sizeof plans / sizeof *plans };

typedef struct example {
    blob sfp, sft;
    unsigned long long accepted; /* changed copies of it */
} example;

static void read_examples(const char* folder, example examples[PLANS])
{
    for (int i = 0; i < PLANS; i++) {
        char name[64];
        snprintf(name, sizeof name, "plans/%s.sfp", plans[i]);
        examples[i].sfp = read_file(folder, name);
        snprintf(name, sizeof name, "plans/%s.sft", plans[i]);
        examples[i].sft = read_file(folder, name);
    }
}

static void fuzz(const char* name, unsigned long long runs, unsigned long long first, example* examples)
{
    unsigned long long accepted = 0;
    parser = name;
    for (number = first; number < first + runs; number++) {
        state = seed * 0x632be59bd9b4e019u + number * 0xd1342543de82ef95u;
        example* one = examples + number % PLANS;
        const int ran = strcmp(name, "program") == 0 ? fuzz_program(one->sfp, one->sft)
                        : strcmp(name, "plan") == 0  ? fuzz_plan(one->sfp, one->sft)
                                                     : fuzz_journal();
        accepted += (unsigned long long)ran;
        one->accepted += (unsigned long long)ran;
    }
    printf("fuzz %s: %llu inputs of seed %llu, %llu accepted", name, runs, seed, accepted);
    for (int i = 0; i < PLANS && strcmp(name, "journal") != 0; i++) {
        printf("%s %s %llu", i == 0 ? ":" : ",", plans[i], examples[i].accepted);
        CHECK(runs < 2000 || examples[i].accepted > 0); /* no section is out of reach */
        examples[i].accepted = 0;
    }
    putchar('\n');
}

int main(int count, char** arguments)
{
    static const char* names[] = {"program", "plan", "journal"};
    CHECK(count >= 2);
    const unsigned long long runs = count > 2 ? strtoull(arguments[2], NULL, 10) : 2000;
    seed = count > 3 ? strtoull(arguments[3], NULL, 10) : 0;
    const char* only = count > 4 ? arguments[4] : "all";
    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(name_input);
    example examples[PLANS] = {0};
    read_examples(arguments[1], examples);
    for (int i = 0; i < 3; i++)
        if (strcmp(only, "all") == 0 || strcmp(only, names[i]) == 0)
            fuzz(names[i], runs, count > 5 ? strtoull(arguments[5], NULL, 10) : 0, examples);
    for (int i = 0; i < PLANS; i++) {
        free(examples[i].sfp.bytes);
        free(examples[i].sft.bytes);
    }
    return 0;
}
