/* Follow a stream of shifted images without labels, and print every integer of it, for comparison with a host: what the
 * network sees before, while it is matched to them, and after. One line of text per fact, see README.md.
 *
 * Argument: how many images, all by default. */
#include "board.h"
#include "facts.h"
#include "print.h"
#include "semihost.h"
#include "sink.h"
#include "stepforward.h"

#define SCRATCH_BYTES (64u * 1024u)
#define STATE_BYTES (12u * 1024u)
#define JOURNAL_BYTES (8u * 1024u)
#define MAX_CLASSES 16

#define DECLARE(symbol) extern const uint8_t symbol[], symbol##_end[]
#define SIZE(symbol) ((size_t)(symbol##_end - symbol))

DECLARE(stream_program);
DECLARE(stream_plan);
DECLARE(stream_settings);
DECLARE(stream_samples);
DECLARE(stream_labels);

static uint8_t memory[SCRATCH_BYTES] __attribute__((aligned(8)));
static uint8_t state[STATE_BYTES] __attribute__((aligned(4)));
static uint8_t journal_bytes[JOURNAL_BYTES];
static sink kept = {journal_bytes, sizeof journal_bytes, 0};

static sf_program program;
static sf_plan plan;
static sf_scratch scratch;
static uint32_t images;

static void open_all(void)
{
    check(sf_program_open(&program, stream_program, SIZE(stream_program)), "program");
    check(sf_plan_open(&plan, &program, stream_plan, SIZE(stream_plan)), "plan");
    scratch.memory = memory;
    scratch.bytes = sf_match_bytes(&program);
    scratch.block = 1;
    scratch.row_tile = SF_DEVICE_ROWS;
    if (scratch.bytes > sizeof memory || plan.state_bytes > sizeof state || program.classes > MAX_CLASSES)
        check(SF_TOO_LARGE, "this firmware's own buffers");
    images = (uint32_t)(SIZE(stream_samples) / program.input_bytes);
    print_fact("bytes inference", (int64_t)sf_inference_bytes(&program, 1));
    print_fact("bytes scratch", (int64_t)scratch.bytes);
    print_fact("bytes state", plan.state_bytes);
}

static const int8_t* sample_at(uint32_t i) { return (const int8_t*)stream_samples + (size_t)i * program.input_bytes; }

/* Ticks of one inference: without matching, with constants of its own, and with counting. */
static void print_ticks(void)
{
    int32_t logits[MAX_CLASSES];
    const uint64_t start = board_ticks();
    check(sf_logits(&program, NULL, sf_program_weights(&program), &scratch, sample_at(0), 1, logits), "logits");
    const uint64_t plain = board_ticks();
    check(sf_match_logits(&program, &plan, state, &scratch, sample_at(0), 1, 0, logits), "logits");
    const uint64_t matched = board_ticks();
    check(sf_match_logits(&program, &plan, state, &scratch, sample_at(0), 1, 1, logits), "logits");
    const uint64_t counted = board_ticks();
    check(sf_match_refresh(&program, &plan, state), "refresh");
    const uint64_t refreshed = board_ticks();
    print_fact("ticks inference", (int64_t)(plain - start));
    print_fact("ticks matched", (int64_t)(matched - plain));
    print_fact("ticks counted", (int64_t)(counted - matched));
    print_fact("ticks refresh", (int64_t)(refreshed - counted));
    __builtin_memset(state, 0, plan.state_bytes); /* a reset */
}

/* Every sample once; follows: each adds to what is seen, and the constants are refreshed. Returns how many are right.
 */
static void run_stream(const char* name, uint32_t follows)
{
    const int32_t* labels = (const int32_t*)(const void*)stream_labels;
    uint32_t correct = 0;
    for (uint32_t i = 0; i < images; i++) {
        int32_t logits[MAX_CLASSES];
        uint32_t best = 0;
        check(sf_match_logits(&program, &plan, state, &scratch, sample_at(i), 1, follows, logits), "logits");
        if (follows)
            check(sf_match_refresh(&program, &plan, state), "refresh");
        print_text("logits ");
        print_text(name);
        print_number(i);
        for (uint32_t c = 0; c < program.classes; c++) {
            print_number(logits[c]);
            best = logits[c] > logits[best] ? c : best;
        }
        print_line();
        correct += (int32_t)best == labels[i];
    }
    print_text("correct ");
    print_text(name);
    print_number(correct);
    print_number(images);
    print_line();
}

/* A journal from which a host makes the matched model. */
static void print_snapshot(void)
{
    static uint8_t buffer[64];
    sf_journal journal;
    uint8_t digest[SF_SHA256_BYTES];
    if (sf_journal_buffer_bytes(1, 1) > sizeof buffer)
        check(SF_TOO_LARGE, "this firmware's own buffers");
    check(sf_journal_open(&journal, 1, 1, buffer, stream_settings, (uint32_t)SIZE(stream_settings), keep, &kept),
          "journal");
    check(sf_journal_matching(&journal, &program, &plan, state), "journal");
    check(sf_journal_end(&journal, 0, 0), "journal");
    sf_sha256(state, plan.state_bytes, digest);
    print_text("state ");
    print_hex(digest, sizeof digest);
    print_line();
    print_text("journal ");
    print_hex(kept.bytes, kept.used);
    print_line();
}

int main(void)
{
    char arguments[80];
    semihost_arguments(arguments, sizeof arguments);
    open_all();
    for (const char* at = arguments; *at != '\0'; at++)
        if (*at == ' ' && at[1] > '0' && at[1] <= '9' && parse_number(at + 1) < images)
            images = parse_number(at + 1);
    print_ticks();
    run_stream("before", 0);
    run_stream("during", 1);
    run_stream("after", 0);
    print_snapshot();
    print_fact("touched stack", board_stack_used());
    print_text("done");
    print_line();
    return 0;
}
