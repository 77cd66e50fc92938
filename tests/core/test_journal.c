/* Journal records byte by byte, and a sink that fails. */
#include <string.h>

#include "check.h"
#include "stepforward.h"

typedef struct file {
    uint8_t bytes[4096];
    size_t size;
    int calls_until_full; /* -1: never */
} file;

static int append(void* context, const void* bytes, size_t count)
{
    file* f = (file*)context;
    if (f->calls_until_full == 0)
        return 1;
    if (f->calls_until_full > 0)
        f->calls_until_full--;
    memcpy(f->bytes + f->size, bytes, count);
    f->size += count;
    return 0;
}

static uint32_t word(const uint8_t* at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void records(void)
{
    file f = {{0}, 0, -1};
    sf_journal journal;
    uint8_t buffer[64];
    CHECK(sf_journal_buffer_bytes(3, 4) <= sizeof buffer);
    CHECK(sf_journal_open(&journal, 3, 4, buffer, "{}", 2, append, &f) == SF_OK);
    CHECK(f.size == 12 + 2 + 4 && memcmp(f.bytes, "SFJ2\2\0\3\0\2\0\0\0{}", 14) == 0);
    CHECK(word(f.bytes + 14) == sf_crc32(0, f.bytes, 14));

    const int8_t signs[3] = {1, -1, -1}, tie[3] = {0, 1, -1}, raw[3] = {5, -3, 0};
    size_t at = f.size;
    uint32_t check = word(f.bytes + 14);
    for (int i = 0; i < 4; i++)
        CHECK(sf_journal_votes(&journal, signs, 0) == SF_OK);
    CHECK(f.size == at + 2 + 2 + 4); /* twelve bits: 110 110 110 110, least significant first */
    CHECK(f.bytes[at] == 1 && f.bytes[at + 1] == 4 && f.bytes[at + 2] == 0xb6 && f.bytes[at + 3] == 0x0d);
    check = sf_crc32(check, f.bytes + at, 4);
    CHECK(word(f.bytes + at + 4) == check);

    at = f.size;
    CHECK(sf_journal_votes(&journal, tie, 0) == SF_OK && sf_journal_flush(&journal) == SF_OK);
    CHECK(f.bytes[at] == 2 && f.bytes[at + 1] == 1 && f.bytes[at + 2] == 0x34); /* 0, 1, 3 in pairs of bits */
    at = f.size;
    CHECK(sf_journal_votes(&journal, raw, 0) == SF_OK && sf_journal_evaluation(&journal, 7, -2) == SF_OK);
    CHECK(f.bytes[at] == 3 && f.bytes[at + 2] == 5 && f.bytes[at + 3] == 0xfd && f.bytes[at + 4] == 0);
    at += 2 + 3 + 4;
    CHECK(f.bytes[at] == 4 && f.bytes[at + 1] == 0 && f.bytes[at + 2] == 7 && f.bytes[at + 6] == 0xfe &&
          f.bytes[at + 13] == 0xff);
    at = f.size; /* graded votes in 6 bits, the scale of the last step after them */
    const int8_t graded[3] = {24, -3, 0};
    CHECK(sf_journal_votes(&journal, graded, 300) == SF_OK &&
          sf_journal_votes(&journal, graded, 0x1234567890) == SF_OK);
    CHECK(sf_journal_flush(&journal) == SF_OK && f.size == at + 2 + 5 + 8 + 4);
    CHECK(f.bytes[at] == 6 && f.bytes[at + 1] == 2 && f.bytes[at + 2] == 0x58 && f.bytes[at + 3] == 0x0f);
    CHECK(f.bytes[at + 4] == 0x60 && f.bytes[at + 5] == 0x3d && f.bytes[at + 6] == 0 && f.bytes[at + 7] == 0x90 &&
          f.bytes[at + 11] == 0x12 && f.bytes[at + 12] == 0);
    at = f.size;
    CHECK(sf_journal_end(&journal, 4, 1) == SF_OK);
    CHECK(f.bytes[at] == 5 && f.bytes[at + 2] == 4 && f.bytes[at + 6] == 1 && f.size == at + 2 + 5 + 4);
}

/* Votes are packed where they wait, so a record that is refused is unpacked again: signs, ties, graded, raw. */
static void a_full_disk_loses_nothing(void)
{
    static const int8_t votes[4][6] = {
        {1, -1, -1, 1, 1, -1}, {0, -1, 1, 0, 0, 1}, {24, -24, 0, -1, 17, -5}, {127, -127, 3, 0, -2, 99}};
    for (int kind = 0; kind < 4; kind++) {
        const uint64_t scale = kind == 2 ? 77 : 0;
        file f = {{0}, 0, -1}, expected = {{0}, 0, -1};
        sf_journal journal, other;
        uint8_t buffer[20], second[20];
        CHECK(sf_journal_buffer_bytes(3, 2) == sizeof buffer);
        CHECK(sf_journal_open(&journal, 3, 2, buffer, "{}", 2, append, &f) == SF_OK);
        CHECK(sf_journal_open(&other, 3, 2, second, "{}", 2, append, &expected) == SF_OK);
        CHECK(sf_journal_votes(&journal, votes[kind], scale) == SF_OK);
        f.calls_until_full = 0;
        CHECK(sf_journal_flush(&journal) == SF_SINK_FAILED);
        CHECK(sf_journal_votes(&journal, votes[kind] + 3, scale) == SF_SINK_FAILED);
        f.calls_until_full = -1;
        CHECK(sf_journal_votes(&journal, votes[kind] + 3, scale) == SF_OK);
        CHECK(sf_journal_votes(&other, votes[kind], scale) == SF_OK &&
              sf_journal_votes(&other, votes[kind] + 3, scale) == SF_OK);
        CHECK(f.size == expected.size && memcmp(f.bytes, expected.bytes, f.size) == 0);
    }
}

enum { DIRECTIONS = 3, TOGETHER = 4, STEPS = 19, MOST = 64 };

/* Votes of a step: pairs of signs, ties and raw numbers by turns. */
static void votes_of(uint32_t step, int8_t votes[DIRECTIONS])
{
    for (uint32_t i = 0; i < DIRECTIONS; i++) {
        const int8_t sign = (step + i) % 3 == 0 ? -1 : 1;
        votes[i] = step >= 12 ? (int8_t)(sign * (int8_t)(step + i)) : step >= 8 && i == 1 ? 0 : sign;
    }
}

/* Steps from `step` on, with a validation every seven, and the end. Stops where the sink fails. */
static void go_on(sf_journal* journal, uint32_t step)
{
    int8_t votes[DIRECTIONS];
    for (; step < STEPS; step++) {
        votes_of(step, votes);
        if (sf_journal_votes(journal, votes, 0) != SF_OK ||
            (step % 7 == 6 && sf_journal_evaluation(journal, step, -(int64_t)step) != SF_OK))
            return;
    }
    (void)sf_journal_end(journal, STEPS, 0);
}

/* The complete records: where they end, with which check, and how many steps and validations they hold. 0: not even a
 * header. */
static size_t walk(const file* f, uint32_t* check, uint32_t* steps, uint32_t* evaluations)
{
    const size_t header = 12 + 2;
    *steps = *evaluations = 0;
    if (f->size < header + 4 || word(f->bytes + header) != sf_crc32(0, f->bytes, header))
        return 0;
    size_t at = header + 4;
    for (*check = word(f->bytes + header);;) {
        const uint8_t *record = f->bytes + at, type = record[0];
        const size_t votes = (size_t)record[1] * DIRECTIONS;
        const size_t payload = type == 1   ? (votes + 7) / 8
                               : type == 2 ? (votes + 3) / 4
                               : type == 3 ? votes
                               : type == 4 ? 12
                                           : 5;
        if (at + 2 > f->size || at + 2 + payload + 4 > f->size)
            return at;
        const uint32_t sum = sf_crc32(*check, record, 2 + payload);
        if (sum != word(record + 2 + payload))
            return at;
        *check = sum;
        *steps += type <= 3 ? record[1] : 0;
        *evaluations += type == 4;
        at += 2 + payload + 4;
    }
}

/* Power lost after any byte: cut to what is complete, resumed and continued, the file is that of an uninterrupted run.
 */
static void power_lost_anywhere(void)
{
    file whole = {{0}, 0, -1};
    sf_journal journal;
    uint8_t buffer[MOST];
    CHECK(sf_journal_buffer_bytes(DIRECTIONS, TOGETHER) <= sizeof buffer);
    CHECK(sf_journal_open(&journal, DIRECTIONS, TOGETHER, buffer, "{}", 2, append, &whole) == SF_OK);
    go_on(&journal, 0);
    uint32_t resumed = 0;
    for (size_t cut = 0; cut < whole.size; cut++) {
        file f = whole;
        uint32_t check = 0, steps, evaluations;
        f.size = cut;
        memset(f.bytes + cut, 0xff, sizeof f.bytes - cut);
        f.size = walk(&f, &check, &steps, &evaluations);
        if (f.size == 0) {
            CHECK(cut < 18 && sf_journal_open(&journal, DIRECTIONS, TOGETHER, buffer, "{}", 2, append, &f) == SF_OK);
        } else {
            CHECK(sf_journal_resume(&journal, DIRECTIONS, TOGETHER, buffer, check, append, &f) == SF_OK);
            resumed++;
            if (steps > 0 && steps % 7 == 0 &&
                evaluations < steps / 7) /* lost with power, but the steps before it are there */
                CHECK(sf_journal_evaluation(&journal, steps - 1, -(int64_t)(steps - 1)) == SF_OK);
        }
        if (steps == STEPS)
            CHECK(sf_journal_end(&journal, STEPS, 0) == SF_OK);
        else
            go_on(&journal, steps);
        CHECK(f.size == whole.size && memcmp(f.bytes, whole.bytes, whole.size) == 0);
    }
    CHECK(resumed > 100);
}

static void refusals(void)
{
    file f = {{0}, 0, -1};
    sf_journal journal;
    uint8_t buffer[MOST];
    const int8_t up = 1;
    CHECK(sf_journal_resume(NULL, 1, 1, buffer, 0, append, &f) == SF_BAD_ARGUMENT);
    CHECK(sf_journal_resume(&journal, 1, 1, NULL, 0, append, &f) == SF_BAD_ARGUMENT);
    CHECK(sf_journal_resume(&journal, 1, 1, buffer, 0, NULL, &f) == SF_BAD_ARGUMENT);
    CHECK(sf_journal_resume(&journal, 0, 1, buffer, 0, append, &f) == SF_BAD_ARGUMENT);
    CHECK(sf_journal_resume(&journal, 256, 1, buffer, 0, append, &f) == SF_BAD_ARGUMENT);
    CHECK(sf_journal_resume(&journal, 1, 0, buffer, 0, append, &f) == SF_BAD_ARGUMENT);
    CHECK(sf_journal_resume(&journal, 1, 256, buffer, 0, append, &f) == SF_BAD_ARGUMENT);
    CHECK(sf_journal_open(&journal, 1, 1, buffer, NULL, 2, append, &f) == SF_BAD_ARGUMENT);
    CHECK(sf_journal_votes(NULL, &up, 0) == SF_BAD_ARGUMENT && sf_journal_flush(NULL) == SF_BAD_ARGUMENT);
    CHECK(sf_journal_evaluation(NULL, 0, 0) == SF_BAD_ARGUMENT && sf_journal_end(NULL, 0, 0) == SF_BAD_ARGUMENT);
}

int main(void)
{
    records();
    power_lost_anywhere();
    refusals();
    a_full_disk_loses_nothing();
    puts("journal: ok");
    return 0;
}
