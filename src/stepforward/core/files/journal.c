/* Writing a journal (docs/file-formats.md, section 3): one sink call per record, so that a record is kept whole or not
 * at all; parameters are written from where they lie, in several. */
#include "base/fractions.h"
#include "base/machine.h"
#include "base/sites.h"
#include "base/weights.h"
#include "stepforward.h"

enum { SIGNS = 1, TERNARY = 2, RAW = 3, EVALUATION = 4, END = 5, GRADED = 6, MATCHING = 7, PARAMETERS = 8 };

#define HEAD 2u  /* type and count, in front of the payload */
#define SCALE 8u /* bytes after graded votes */

static void put(uint8_t* at, uint64_t v, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

/* Finish a record that lies at `record` with its head and payload, and hand it over. */
static sf_status emit(sf_journal* journal, uint8_t* record, uint32_t type, uint32_t count, uint32_t payload)
{
    record[0] = (uint8_t)type;
    record[1] = (uint8_t)count;
    const uint32_t check = sf_crc32(journal->check, record, HEAD + payload);
    put(record + HEAD + payload, check, 4);
    if (journal->sink(journal->context, record, (size_t)HEAD + payload + 4) != 0)
        return SF_SINK_FAILED;
    journal->check = check;
    return SF_OK;
}

/* The buffer: one record. Votes wait in it as bytes; they are packed where they lie. */
size_t sf_journal_buffer_bytes(uint32_t directions, uint32_t steps_per_record)
{
    return (size_t)HEAD + directions * steps_per_record + SCALE + 4;
}

sf_status sf_journal_resume(sf_journal* journal, uint32_t directions, uint32_t steps_per_record, void* buffer,
                            uint32_t check, sf_sink sink, void* context)
{
    if (journal == NULL || buffer == NULL || sink == NULL || directions < 1 || directions > SF_MAX_DIRECTIONS ||
        steps_per_record < 1 || steps_per_record > 255)
        return SF_BAD_ARGUMENT;
    journal->sink = sink;
    journal->context = context;
    journal->buffer = (uint8_t*)buffer;
    journal->scale = 0;
    journal->check = check;
    journal->directions = directions;
    journal->steps_per_record = steps_per_record;
    journal->steps_held = 0;
    return SF_OK;
}

sf_status sf_journal_open(sf_journal* journal, uint32_t directions, uint32_t steps_per_record, void* buffer,
                          const void* settings, uint32_t settings_bytes, sf_sink sink, void* context)
{
    uint8_t head[12] = {'S', 'F', 'J', '2'}, tail[4];
    const sf_status status = sf_journal_resume(journal, directions, steps_per_record, buffer, 0, sink, context);
    if (status != SF_OK)
        return status;
    if (settings == NULL && settings_bytes > 0)
        return SF_BAD_ARGUMENT;
    put(head + 4, 2, 2);
    put(head + 6, directions, 2);
    put(head + 8, settings_bytes, 4);
    const uint32_t check = sf_crc32(sf_crc32(0, head, sizeof head), settings, settings_bytes);
    put(tail, check, 4);
    if (sink(context, head, sizeof head) != 0 || (settings_bytes > 0 && sink(context, settings, settings_bytes) != 0) ||
        sink(context, tail, sizeof tail) != 0)
        return SF_SINK_FAILED;
    journal->check = check;
    return SF_OK;
}

static int8_t* votes_of(const sf_journal* journal) { return (int8_t*)journal->buffer + HEAD; }

/* The smallest record type that holds the votes. */
static uint32_t type_of(const int8_t* votes, uint32_t count)
{
    uint32_t type = SIGNS;
    for (uint32_t i = 0; i < count; i++) {
        if (votes[i] < -1 || votes[i] > 1)
            return RAW;
        if (votes[i] == 0)
            type = TERNARY;
    }
    return type;
}

static uint32_t width_of(uint32_t type) { return type == SIGNS ? 1 : type == TERNARY ? 2 : type == GRADED ? 6 : 8; }

/* From bytes to `width` bits each, least significant first, in place: what is written was read before. Returns bytes.
 */
static uint32_t pack(uint8_t* votes, uint32_t count, uint32_t width)
{
    uint32_t held = 0, bits = 0, bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t code = width == 1 ? (uint32_t)votes[i] >> 7 : votes[i] & ((1u << width) - 1u);
        held |= code << bits;
        for (bits += width; bits >= 8; bits -= 8, held >>= 8)
            votes[bytes++] = (uint8_t)held;
    }
    if (bits > 0)
        votes[bytes++] = (uint8_t)held;
    return bytes;
}

/* The way back, from the last one on. */
static void unpack(uint8_t* votes, uint32_t count, uint32_t width)
{
    for (uint32_t i = count; i-- > 0;) {
        const uint32_t at = i * width, shift = at % 8;
        uint32_t code = (uint32_t)votes[at / 8] >> shift;
        if (shift + width > 8)
            code |= (uint32_t)votes[at / 8 + 1] << (8 - shift);
        code &= (1u << width) - 1u;
        const uint32_t sign = code >> (width - 1);
        votes[i] = (uint8_t)(width == 1 ? 1u - 2u * sign : code - (sign << width));
    }
}

sf_status sf_journal_flush(sf_journal* journal)
{
    if (journal == NULL || journal->buffer == NULL)
        return SF_BAD_ARGUMENT;
    const uint32_t steps = journal->steps_held, count = journal->directions * steps;
    if (count == 0)
        return SF_OK;
    const uint32_t type = journal->scale > 0 ? GRADED : type_of(votes_of(journal), count), width = width_of(type);
    uint8_t* votes = journal->buffer + HEAD;
    uint32_t payload = pack(votes, count, width);
    if (type == GRADED) {
        put(votes + payload, journal->scale, SCALE);
        payload += SCALE;
    }
    const sf_status status = emit(journal, journal->buffer, type, steps, payload);
    if (status == SF_OK)
        journal->steps_held = 0;
    else
        unpack(votes, count, width); /* nothing that is held is lost */
    return status;
}

sf_status sf_journal_votes(sf_journal* journal, const int8_t* votes, uint64_t scale)
{
    if (journal == NULL || journal->buffer == NULL || votes == NULL)
        return SF_BAD_ARGUMENT;
    if (journal->steps_held == journal->steps_per_record) { /* an earlier write failed: try again before taking more */
        const sf_status status = sf_journal_flush(journal);
        if (status != SF_OK)
            return status;
    }
    sfi_copy(votes_of(journal) + (size_t)journal->directions * journal->steps_held, votes, journal->directions);
    const uint64_t before = journal->scale;
    journal->scale = scale;
    if (++journal->steps_held < journal->steps_per_record)
        return SF_OK;
    const sf_status status = sf_journal_flush(journal);
    if (status != SF_OK) { /* not taken */
        journal->steps_held--;
        journal->scale = before;
    }
    return status;
}

sf_status sf_journal_evaluation(sf_journal* journal, uint32_t correct, int64_t loss)
{
    uint8_t record[HEAD + 12 + 4];
    const sf_status status = sf_journal_flush(journal);
    if (status != SF_OK)
        return status;
    put(record + HEAD, correct, 4);
    put(record + HEAD + 4, (uint64_t)loss, 8);
    return emit(journal, record, EVALUATION, 0, 12);
}

/* The tensors that no vote moves lie at the end of the weights, and their fractions at the end of theirs. */
sf_status sf_journal_tail(sf_journal* journal, const sf_program* program, const sf_plan* plan, const void* weights,
                          const void* state, uint32_t step)
{
    if (program == NULL || plan == NULL || weights == NULL || (state == NULL && plan->state_bytes > 0))
        return SF_BAD_ARGUMENT;
    const sf_status status = sf_journal_flush(journal);
    if (status != SF_OK)
        return status;
    size_t bytes = 0, below = 0;
    for (uint32_t i = plan->voted_count; i < plan->trainable_count; i++) {
        const sf_tensor* t = program->tensors + plan->trainables[i].tensor;
        bytes += sfi_moving_bytes(t);
        below += plan->weight_fractions != NULL ? (size_t)sfi_fraction_bytes(t, plan->weight_fractions[i]) : 0;
    }
    const uint8_t* fractions =
        (const uint8_t*)state + (below > 0 ? plan->fractions_first + plan->fractions_bytes - below : 0);
    const void* pieces[2] = {(const uint8_t*)weights + plan->weights_bytes - bytes, fractions};
    const size_t sizes[2] = {bytes, below};
    uint8_t head[HEAD + 8] = {PARAMETERS, 0}, end[4];
    put(head + HEAD, step, 4);
    put(head + HEAD + 4, bytes + below, 4);
    uint32_t check = sf_crc32(journal->check, head, sizeof head);
    if (journal->sink(journal->context, head, sizeof head) != 0)
        return SF_SINK_FAILED;
    for (uint32_t i = 0; i < 2; i++) {
        check = sf_crc32(check, pieces[i], sizes[i]);
        if (sizes[i] > 0 && journal->sink(journal->context, pieces[i], sizes[i]) != 0)
            return SF_SINK_FAILED;
    }
    put(end, check, 4);
    if (journal->sink(journal->context, end, sizeof end) != 0)
        return SF_SINK_FAILED;
    journal->check = check;
    return SF_OK;
}

/* A piece of a record that is written in several. */
static sf_status pass_on(sf_journal* journal, uint32_t* check, const void* bytes, size_t count)
{
    *check = sf_crc32(*check, bytes, count);
    return journal->sink(journal->context, bytes, count) != 0 ? SF_SINK_FAILED : SF_OK;
}

static int is_matched(const sfi_site* site)
{
    uint32_t any = 0;
    for (uint32_t c = 0; c < site->channels; c++)
        any |= site->ratio[c] | site->bias[c];
    return any != 0;
}

static sf_status record_site(sf_journal* journal, const sf_program* program, const sfi_site* site)
{
    const int32_t* base = sfi_base_bias(program, site);
    uint8_t head[HEAD + 8] = {MATCHING, 0}, word[4];
    uint32_t check = journal->check;
    put(head + HEAD, site->op, 4);
    put(head + HEAD + 4, site->channels, 4);
    sf_status status = pass_on(journal, &check, head, sizeof head);
    for (uint32_t c = 0; status == SF_OK && c < site->channels; c++) {
        put(word, (uint16_t)(site->ratio[c] + SFI_RATIO_ONE), 2);
        status = pass_on(journal, &check, word, 2);
    }
    for (uint32_t c = 0; status == SF_OK && c < site->channels; c++) {
        put(word, (uint32_t)base[c] + site->bias[c], 4);
        status = pass_on(journal, &check, word, 4);
    }
    if (status != SF_OK)
        return status;
    put(word, check, 4);
    if (journal->sink(journal->context, word, 4) != 0)
        return SF_SINK_FAILED;
    journal->check = check;
    return SF_OK;
}

sf_status sf_journal_matching(sf_journal* journal, const sf_program* program, const sf_plan* plan, const void* state)
{
    if (program == NULL || plan == NULL || plan->site_count == 0 || state == NULL)
        return SF_BAD_ARGUMENT;
    sf_status status = sf_journal_flush(journal);
    sfi_site site = sfi_first_site(program, plan, state);
    do {
        if (status == SF_OK && is_matched(&site))
            status = record_site(journal, program, &site);
    } while (sfi_next_site(program, &site));
    return status;
}

sf_status sf_journal_end(sf_journal* journal, uint32_t kept_step, uint8_t reason)
{
    uint8_t record[HEAD + 5 + 4];
    const sf_status status = sf_journal_flush(journal);
    if (status != SF_OK)
        return status;
    put(record + HEAD, kept_step, 4);
    record[HEAD + 4] = reason;
    return emit(journal, record, END, 0, 5);
}
