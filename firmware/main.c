/* Train a small network on the device and print every integer of it, for comparison with a host.
 *
 * Arguments: [run] [steps], such as `momentum 200`; `plain 20` by default. One line of text per fact, see README.md. */
#include "board.h"
#include "facts.h"
#include "print.h"
#include "semihost.h"
#include "sink.h"
#include "stepforward.h"

#define RAM_FOR_TRAINING (96u * 1024u)
#define JOURNAL_CAPACITY 8192u
#define STEPS_PER_RECORD 64u
#define REPORT_EVERY 20u
#define MAX_CLASSES 16
#define MOST_PROBES 8 /* whose losses are printed */
#define PAINT 0xA5u

typedef struct file {
    const uint8_t *begin, *end;
} file;

typedef struct run {
    const char* name;
    file program, plan, settings, samples, labels;
} run;

#define DECLARE(symbol) extern const uint8_t symbol[], symbol##_end[]
#define FILE(symbol) {symbol, symbol##_end}
#define DECLARE_RUN(name) \
    DECLARE(name##_program); \
    DECLARE(name##_plan); \
    DECLARE(name##_settings); \
    DECLARE(name##_samples); \
    DECLARE(name##_labels)
#define RUN(name) \
    {#name, FILE(name##_program), FILE(name##_plan), FILE(name##_settings), FILE(name##_samples), FILE(name##_labels)}

DECLARE_RUN(plain);
DECLARE_RUN(momentum);
DECLARE_RUN(fractions);
DECLARE_RUN(together);
DECLARE_RUN(graded);
DECLARE_RUN(curved);
DECLARE_RUN(masked);
DECLARE_RUN(sampled);
DECLARE_RUN(salient);
DECLARE_RUN(guided);
DECLARE_RUN(sharp);
DECLARE_RUN(adam);
DECLARE_RUN(tail);
DECLARE_RUN(head);
DECLARE_RUN(digits);
DECLARE_RUN(defaults);
DECLARE_RUN(kernels);
DECLARE_RUN(long);
DECLARE_RUN(tokens);
DECLARE_RUN(recurrent);

static const run runs[] = {RUN(plain),    RUN(momentum), RUN(fractions), RUN(together), RUN(graded),
                           RUN(curved),   RUN(masked),   RUN(sampled),   RUN(salient),  RUN(guided),
                           RUN(sharp),    RUN(adam),     RUN(tail),      RUN(head),     RUN(digits),
                           RUN(defaults), RUN(kernels),  RUN(long),      RUN(tokens),   RUN(recurrent)};

/* All that training needs besides the program, the plan and the samples, which stay in flash. */
static uint8_t ram[RAM_FOR_TRAINING] __attribute__((aligned(8)));
static size_t ram_used;
static uint8_t journal_bytes[JOURNAL_CAPACITY];
static sink kept = {journal_bytes, sizeof journal_bytes, 0};

static sf_program program;
static sf_plan plan;
static sf_trainer trainer;
static sf_journal journal;
static const int8_t* samples;
static const int32_t* labels;
static uint32_t sample_count;

static size_t size_of(const file* f) { return (size_t)(f->end - f->begin); }

static void* take(size_t bytes)
{
    const size_t rounded = (bytes + 7u) & ~(size_t)7u;
    if (rounded > sizeof ram - ram_used)
        check(SF_TOO_LARGE, "RAM_FOR_TRAINING");
    void* place = ram + ram_used;
    ram_used += rounded;
    return place;
}

/* Whether the word at `text` is `word`; a word ends with a blank or the text. */
static int is_word(const char* text, const char* word)
{
    while (*word != '\0' && *text == *word) {
        text++;
        word++;
    }
    return *word == '\0' && (*text == ' ' || *text == '\0');
}

/* `line` is "firmware [run] [steps]". */
static const run* choose(const char* line, uint32_t* steps)
{
    const run* chosen = &runs[0];
    for (; *line != '\0'; line++) {
        if (*line != ' ')
            continue;
        if (line[1] >= '0' && line[1] <= '9')
            *steps = parse_number(line + 1);
        for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
            if (is_word(line + 1, runs[i].name))
                chosen = &runs[i];
    }
    return chosen;
}

/* Lay out RAM: weights, state, scratch, the journal's buffer. */
static void prepare(const run* r)
{
    check(sf_program_open(&program, r->program.begin, size_of(&r->program)), "program");
    check(sf_plan_open(&plan, &program, r->plan.begin, size_of(&r->plan)), "plan");
    if (program.classes > MAX_CLASSES)
        check(SF_TOO_LARGE, "this firmware's own buffers");
    samples = (const int8_t*)r->samples.begin;
    labels = (const int32_t*)(const void*)r->labels.begin;
    sample_count = (uint32_t)(size_of(&r->samples) / program.input_bytes);

    const size_t state_bytes = plan.state_bytes;
    const size_t scratch_bytes = sf_scratch_bytes(&program, 1, SF_DEVICE_ROWS);
    const size_t buffer_bytes = sf_journal_buffer_bytes(plan.directions, STEPS_PER_RECORD);
    trainer.program = &program;
    trainer.plan = &plan;
    trainer.weights = take(plan.weights_bytes); /* the others stay in flash */
    sf_plan_weights(&plan, &program, trainer.weights);
    trainer.state = NULL;
    if (state_bytes > 0) {
        trainer.state = take(state_bytes);
        __builtin_memset(trainer.state, 0, state_bytes);
    }
    check(sf_journal_open(&journal, plan.directions, STEPS_PER_RECORD, take(buffer_bytes), r->settings.begin,
                          (uint32_t)size_of(&r->settings), keep, &kept),
          "journal");
    trainer.journal = &journal;
    trainer.scratch.memory = take(scratch_bytes); /* the last one: what lies after it shows an overrun */
    trainer.scratch.bytes = scratch_bytes;
    trainer.scratch.block = 1;
    trainer.scratch.row_tile = SF_DEVICE_ROWS;
    __builtin_memset(trainer.scratch.memory, PAINT, sizeof ram - (size_t)((uint8_t*)trainer.scratch.memory - ram));

    print_fact("bytes weights", plan.weights_bytes);
    print_fact("bytes state", (int64_t)state_bytes);
    print_fact("bytes journal_buffer", (int64_t)buffer_bytes);
    print_fact("bytes scratch", (int64_t)scratch_bytes);
    print_fact("bytes inference", (int64_t)sf_inference_bytes(&program, 1));
}

/* Bytes of the scratch, and of the free RAM after it, up to the last one that was ever written. */
static size_t scratch_touched(void)
{
    const uint8_t* start = trainer.scratch.memory;
    const uint8_t* end = ram + sizeof ram;
    while (end > start && end[-1] == PAINT)
        end--;
    return (size_t)(end - start);
}

/* The hash of what is trained: the rest is as it was. */
static void print_weights(void)
{
    uint8_t digest[SF_SHA256_BYTES];
    sf_sha256(trainer.weights, plan.weights_bytes, digest);
    print_text("weights");
    print_number(trainer.step);
    print_hex(digest, sizeof digest);
    print_line();
}

/* Logits of every sample; returns how many are right. */
static uint32_t print_logits(void)
{
    uint32_t correct = 0;
    for (uint32_t s = 0; s < sample_count; s++) {
        int32_t logits[MAX_CLASSES];
        uint32_t best = 0;
        check(
            sf_logits(&program, &plan, trainer.weights, &trainer.scratch, samples + s * program.input_bytes, 1, logits),
            "logits");
        print_text("logits");
        print_number(trainer.step);
        print_number(s);
        for (uint32_t c = 0; c < program.classes; c++) {
            print_number(logits[c]);
            best = logits[c] > logits[best] ? c : best;
        }
        print_line();
        correct += (int32_t)best == labels[s];
    }
    return correct;
}

/* The loss of the weights as they are, then under both signs of the first directions of the coming step. */
static int64_t print_losses(void)
{
    sf_perturbation probes[MOST_PROBES + 1] = {{0, 0, 0, 0}};
    int64_t losses[MOST_PROBES + 1];
    const uint32_t count = 1 + (2 * plan.directions < MOST_PROBES ? 2 * plan.directions : MOST_PROBES);
    for (uint32_t i = 1; i < count; i++) {
        probes[i].step = trainer.step;
        probes[i].direction = (i - 1) / 2;
        probes[i].sign = i % 2 == 1 ? 1 : -1;
    }
    check(sf_losses(&program, &plan, trainer.weights, trainer.state, &trainer.scratch, samples, labels, sample_count,
                    probes, count, losses),
          "losses");
    print_text("losses");
    print_number(trainer.step);
    for (uint32_t i = 0; i < count; i++)
        print_number(losses[i]);
    print_line();
    return losses[0];
}

static void take_step(void)
{
    print_text("votes");
    print_number(trainer.step);
    check(sf_train_step(&trainer, samples, labels, sample_count), "step");
    for (uint32_t i = 0; i < plan.directions; i++)
        print_number(trainer.votes[i]);
    print_line();
}

/* Everything that the weights decide, at this point of the run. */
static int64_t report(uint32_t* correct)
{
    print_weights();
    *correct = print_logits();
    return print_losses();
}

/* Ticks of each operator on one sample, with the weights as they are and perturbed. */
static void print_operators(void)
{
    const sf_perturbation probe = {0, 0, 1, 0};
    for (uint32_t i = 0; i < program.op_count; i++) {
        uint64_t ticks[2];
        for (uint32_t p = 0; p < 2; p++) {
            const uint64_t start = board_ticks();
            check(sf_forward(&program, &plan, trainer.weights, trainer.state, &trainer.scratch, samples, 1, i, i + 1,
                             p ? &probe : NULL),
                  "operator");
            ticks[p] = board_ticks() - start;
        }
        print_text("ticks operator");
        print_number(i);
        print_number((int64_t)ticks[0]);
        print_number((int64_t)ticks[1]);
        print_line();
    }
}

static void finish(void)
{
    uint32_t correct;
    const int64_t loss = report(&correct);
    check(sf_journal_evaluation(&journal, correct, loss), "journal");
    if (plan.tail_bytes > 0)
        check(sf_journal_tail(&journal, &program, &plan, trainer.weights, trainer.state, trainer.step), "journal");
    check(sf_journal_end(&journal, trainer.step, 0), "journal");
    print_text("journal");
    print_hex(kept.bytes, kept.used);
    print_line();
    print_fact("journal_crc", sf_crc32(0, kept.bytes, kept.used));
}

int main(void)
{
    char arguments[80];
    uint32_t steps = REPORT_EVERY, correct;
    semihost_arguments(arguments, sizeof arguments);
    const run* chosen = choose(arguments, &steps);
    print_text("run ");
    print_text(chosen->name);
    print_line();
    prepare(chosen);

    /* Inference alone is content with less. */
    const sf_scratch less = {trainer.scratch.memory, sf_inference_bytes(&program, 1), 1, SF_DEVICE_ROWS};
    int32_t logits[MAX_CLASSES];
    uint64_t start = board_ticks();
    check(sf_logits(&program, &plan, trainer.weights, &less, samples, 1, logits), "logits");
    const uint64_t forward_ticks = board_ticks() - start;
    const size_t inference_touched = scratch_touched();

    uint64_t step_ticks = 0;
    for (uint32_t i = 0; i < steps; i++) {
        if (i % REPORT_EVERY == 0)
            (void)report(&correct);
        start = board_ticks();
        take_step();
        step_ticks = board_ticks() - start;
    }
    finish();
    print_operators();
    print_fact("ticks forward", (int64_t)forward_ticks);
    print_fact("ticks step", (int64_t)step_ticks);
    print_fact("touched inference", (int64_t)inference_touched);
    print_fact("touched training", (int64_t)scratch_touched());
    print_fact("touched stack", board_stack_used());
    print_text("done");
    print_line();
    return 0;
}
