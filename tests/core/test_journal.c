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
    CHECK(f.size == 12 + 2 + 4 && memcmp(f.bytes, "SFJ1\1\0\3\0\2\0\0\0{}", 14) == 0);
    CHECK(word(f.bytes + 14) == sf_crc32(0, f.bytes, 14));

    const int8_t signs[3] = {1, -1, -1}, tie[3] = {0, 1, -1}, raw[3] = {5, -3, 0};
    size_t at = f.size;
    uint32_t check = word(f.bytes + 14);
    for (int i = 0; i < 4; i++)
        CHECK(sf_journal_votes(&journal, signs) == SF_OK);
    CHECK(f.size == at + 2 + 2 + 4); /* twelve bits: 110 110 110 110, least significant first */
    CHECK(f.bytes[at] == 1 && f.bytes[at + 1] == 4 && f.bytes[at + 2] == 0xb6 && f.bytes[at + 3] == 0x0d);
    check = sf_crc32(check, f.bytes + at, 4);
    CHECK(word(f.bytes + at + 4) == check);

    at = f.size;
    CHECK(sf_journal_votes(&journal, tie) == SF_OK && sf_journal_flush(&journal) == SF_OK);
    CHECK(f.bytes[at] == 2 && f.bytes[at + 1] == 1 && f.bytes[at + 2] == 0x34); /* 0, 1, 3 in pairs of bits */
    at = f.size;
    CHECK(sf_journal_votes(&journal, raw) == SF_OK && sf_journal_evaluation(&journal, 7, -2) == SF_OK);
    CHECK(f.bytes[at] == 3 && f.bytes[at + 2] == 5 && f.bytes[at + 3] == 0xfd && f.bytes[at + 4] == 0);
    at += 2 + 3 + 4;
    CHECK(f.bytes[at] == 4 && f.bytes[at + 1] == 0 && f.bytes[at + 2] == 7 && f.bytes[at + 6] == 0xfe && f.bytes[at + 13] == 0xff);
    at = f.size;
    CHECK(sf_journal_end(&journal, 4, 1) == SF_OK);
    CHECK(f.bytes[at] == 5 && f.bytes[at + 2] == 4 && f.bytes[at + 6] == 1 && f.size == at + 2 + 5 + 4);
}

static void a_full_disk_loses_nothing(void)
{
    file f = {{0}, 0, -1}, expected = {{0}, 0, -1};
    sf_journal journal, other;
    uint8_t buffer[64], second[64];
    const int8_t up = 1, down = -1;
    CHECK(sf_journal_open(&journal, 1, 2, buffer, "{}", 2, append, &f) == SF_OK);
    CHECK(sf_journal_open(&other, 1, 2, second, "{}", 2, append, &expected) == SF_OK);
    CHECK(sf_journal_votes(&journal, &up) == SF_OK);
    f.calls_until_full = 0;
    CHECK(sf_journal_votes(&journal, &down) == SF_SINK_FAILED);
    f.calls_until_full = -1;
    CHECK(sf_journal_votes(&journal, &down) == SF_OK);
    CHECK(sf_journal_votes(&other, &up) == SF_OK && sf_journal_votes(&other, &down) == SF_OK);
    CHECK(f.size == expected.size && memcmp(f.bytes, expected.bytes, f.size) == 0);
}

int main(void)
{
    records();
    a_full_disk_loses_nothing();
    puts("journal: ok");
    return 0;
}
