/* Recurrent operators, one sample after the other and step by step; weights are staged once for all of them. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/tables.h"
#include "base/tensors.h"
#include "multiply/device/device.h"
#include "multiply/stage.h"
#include "operators/check.h"
#include "operators/recurrent.h"
#include "random/draw.h"
#include "stepforward.h"

#define PER_UNIT 6u /* 2^6 entries of the table in 1 */
#define ENTRIES 512 /* its last one */

/* The table's entries are below 2^15 and a step between two is below 2^(fraction - 6) <= 2^10: below 2^26. */
int32_t sfi_tanh(int32_t x, uint32_t fraction)
{
    const uint32_t below = fraction - PER_UNIT;
    const int32_t magnitude = x < 0 ? -x : x, i = magnitude >> below;
    int32_t found = sfi_table_tanh[ENTRIES];
    if (i < ENTRIES) {
        const int32_t rest = magnitude - (i << below), from = sfi_table_tanh[i], to = sfi_table_tanh[i + 1];
        found = ((from << below) + (to - from) * rest + (1 << (below - 1))) >> below;
    }
    return x < 0 ? -found : found;
}

/* Rows of weights that are staged, or where they lie, times what is read: |sum| < length * 2^15 * 2^7, in blocks of 256
 * below 2^31. */
SFI_CLONES
static void multiply(const int16_t* restrict w, const int16_t* restrict x, uint32_t rows, uint32_t length,
                     const int32_t* restrict bias, int64_t* restrict acc)
{
    for (uint32_t row = 0; row < rows; row++, w += length) {
        int64_t total = bias[row];
        for (uint32_t k = 0; k < length;) {
            const uint32_t end = sfi_min_u32(k + SFI_BLOCK, length);
            int32_t sum = 0;
            for (; k < end; k++)
                sum += w[k] * x[k];
            total += sum;
        }
        acc[row] = total;
    }
}

void sfi_recurrent_multiply(const sfi_recurrent* r, uint32_t first, uint32_t gates, int on_top)
{
    const sfi_call* call = r->call;
    const uint32_t begin = first * r->hidden, end = begin + gates * r->hidden;
    const size_t step = call->op->rescale_count == 1 ? 0 : 2;
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, step == 0 ? 0 : begin);
    const int in_fours = sfi_for_device(call->row_tile) && r->hidden % 2 == 0;
    for (uint32_t row = begin, count; row < end; row += count) {
        int64_t acc[SF_DEVICE_ROWS] = {0};
        const int16_t* w = r->weight + (size_t)row * r->hidden;
        count = sfi_min_u32(SF_DEVICE_ROWS, end - row);
        if (in_fours && count == SF_DEVICE_ROWS) {
            sfi_dot_rows_wide(w, r->hidden, r->read, r->hidden, acc);
            for (uint32_t i = 0; i < count; i++)
                acc[i] += r->bias[row + i];
        } else {
            multiply(w, r->read, count, r->hidden, r->bias + row, acc);
        }
        for (uint32_t i = row; i < row + count; i++, pair += step)
            r->sums[i] = (int16_t)sfi_requantize(acc[i - row], pair[0], pair[1], on_top ? r->x[i] : 0, -32768, 32767);
    }
}

static size_t even(size_t count) { return (count + 1) & ~(size_t)1; }

/* Sums, state, what is read, cells: whole words each. */
static size_t remembered(uint32_t gates, uint32_t hidden)
{
    return (even((size_t)gates * hidden) + 3 * even(hidden)) * sizeof(int16_t);
}

uint64_t sfi_recurrent_bytes(const sf_program* p, const sf_op* op, uint32_t gates, int plain)
{
    const sf_tensor* weight = p->tensors + op->weight;
    const uint32_t hidden = (uint32_t)weight->dims[1];
    const uint64_t staged = plain && weight->dtype == SF_S16 ? 0
                                                             : (uint64_t)gates * hidden * sizeof(int32_t) +
                                                                   even((size_t)weight->elements) * sizeof(int16_t);
    return staged + remembered(gates, hidden);
}

/* Bias and weights as this pass has them, and the room after what is staged. */
static int16_t* stage(const sfi_call* call, sfi_recurrent* r)
{
    const uint32_t weight = (uint32_t)call->op->weight, bias = (uint32_t)call->op->bias, rows = r->gates * r->hidden,
                   elements = rows * r->hidden;
    int32_t* room = (int32_t*)call->work;
    r->weight = sfi_stored_s16(call->pass, weight, 0);
    r->bias = sfi_stored_s32(call->pass, bias, 0);
    if (r->bias == NULL) {
        sfi_stage_s32(call->pass, bias, 0, rows, room);
        r->bias = room;
        room += rows;
    }
    int16_t* words = (int16_t*)(void*)room;
    if (r->weight == NULL) {
        const sfi_source source = sfi_source_of(call->pass, weight);
        for (uint32_t at = 0; at < elements; at += SFI_CHUNK)
            sfi_stage_s16(&source, at, sfi_min_u32(SFI_CHUNK, elements - at), words + at);
        r->weight = words;
        words += even(elements);
    }
    return words;
}

static void show(const sfi_recurrent* r, size_t at, const int32_t* output)
{
    const sf_tensor* out = r->call->out;
    for (uint32_t j = 0; j < r->hidden; j++)
        sfi_store(r->call->y, out->dtype, at + j,
                  sfi_requantize(r->state[j], output[0], output[1], out->zero_point, r->call->op->lo, r->call->op->hi));
}

void sfi_recurrent_run(const sfi_call* call, uint32_t gates, sfi_recurrent_step* step)
{
    const sf_program* p = call->pass->program;
    const uint32_t hidden = (uint32_t)p->tensors[call->op->weight].dims[1];
    const size_t steps = (size_t)call->out->elements / hidden, width = (size_t)gates * hidden;
    const int32_t output[2] = {sfi_attribute(p, call->op, SFI_OUTPUT_MULT),
                               sfi_attribute(p, call->op, SFI_OUTPUT_SHIFT)};
    const int reverse = sfi_attribute(p, call->op, SFI_REVERSE);
    sfi_recurrent r = {call, NULL, NULL, NULL, NULL, NULL, NULL, NULL, gates, hidden, (uint32_t)steps};
    r.sums = stage(call, &r);
    r.state = r.sums + even(width);
    r.read = r.state + even(hidden);
    r.cells = r.read + even(hidden);
    for (size_t sample = 0; sample < call->n; sample++) {
        sfi_fill(r.state, 0, 3 * even(hidden) * sizeof(int16_t));
        for (size_t i = 0; i < steps; i++) {
            const size_t t = sample * steps + (reverse ? steps - 1 - i : i);
            r.x = (const int16_t*)call->x + t * width;
            for (uint32_t j = 0; j < hidden; j++)
                r.read[j] = sfi_eight_bits(r.state[j]);
            step(&r);
            show(&r, t * hidden, output);
        }
    }
}

static int shapes_fit(const sf_tensor* in, const sf_tensor* out, int64_t gates, int64_t hidden)
{
    for (int d = 0; d < in->rank - 1; d++)
        if (in->dims[d] != out->dims[d])
            return 0;
    return in->rank == out->rank && in->dims[in->rank - 1] == gates * hidden && out->dims[out->rank - 1] == hidden;
}

sf_status sfi_recurrent_check(const sf_program* p, const sf_op* op, int32_t gates, int32_t most_of_kind)
{
    if (!sfi_has_parameters(op, SFI_RECURRENT_ATTRIBUTES))
        return SF_BAD_OPERATOR;
    const sf_tensor *in = sfi_input(p, op, 0), *out = sfi_output(p, op), *weight = p->tensors + op->weight;
    const int64_t hidden = weight->dims[1], rows = gates * hidden;
    const int fits = shapes_fit(in, out, gates, hidden) && sfi_has_dims(weight, 2, rows, hidden, 1, 1) &&
                     sfi_parameters_fit(p, op, rows, hidden) && in->zero_point == 0 &&
                     sfi_within(sfi_attribute(p, op, SFI_REVERSE), 0, 1) &&
                     sfi_within(sfi_attribute(p, op, SFI_OUTPUT_MULT), 0, 65535) &&
                     sfi_within(sfi_attribute(p, op, SFI_OUTPUT_SHIFT), 0, 47) &&
                     sfi_within(sfi_attribute(p, op, SFI_OF_KIND), 0, most_of_kind);
    return sfi_checked(fits, in->dtype == SF_S16);
}
