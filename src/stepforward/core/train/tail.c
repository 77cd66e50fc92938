/* The last layer by its exact gradient (contract, section 10): sums over the samples that are run anyway. */
#include "base/integers.h"
#include "base/tensors.h"
#include "stepforward.h"
#include "train/errors.h"
#include "train/penultimate.h"
#include "train/divisor.h"
#include "train/sums.h"
#include "train/tail.h"

#define LARGEST_INPUT 255u
#define MOST_ROWS 65535u

/* In the state: rows, the sums, then for each input the sum and the squares. */
#define HEAD_BYTES 4u

/* Bits below the point of a mean of the inputs, and of the sum of errors that a bias's gradient leaves out. */
#define MEAN_BITS 15
#define BIAS_BITS 8
#define MOST_GRADIENT ((int64_t)1 << 29)

/* Samples and products that are added together: on hosts enough that sharing the sums does not show. */
#if __STDC_HOSTED__
#define ROWS 32u
#define COLUMNS 256u
#else
#define ROWS 1u
#endif

static uint8_t* part_of(const sf_plan* plan, const void* state)
{
    return (uint8_t*)(uintptr_t)state + plan->tail_first;
}

sfi_tail sfi_tail_of(const sf_program* program, const sf_plan* plan, void* state)
{
    const sf_op *op = program->ops + plan->tail_op, *before = program->ops + plan->before_op;
    const uint32_t last = plan->voted_count + plan->before_count;
    sfi_tail tail = SFI_NO_TAIL;
    int32_t* at = (int32_t*)(void*)(part_of(plan, state) + HEAD_BYTES);
    for (uint32_t i = plan->voted_count; i < plan->trainable_count; i++) {
        const int32_t tensor = (int32_t)plan->trainables[i].tensor;
        if (i < last)
            *(tensor == before->weight ? &tail.before.weight : &tail.before.bias) = at;
        else
            *(tensor == op->weight ? &tail.weight : &tail.bias) = at;
        at += program->tensors[tensor].elements;
    }
    if (plan->tail_inputs > 0) {
        tail.inputs = at;
        tail.squares = (uint32_t*)at + plan->tail_inputs;
    }
    if (plan->before_count > 0) {
        tail.before.by = tail.squares + plan->tail_inputs;
        tail.before.passed = (int32_t*)tail.before.by + 2;
    }
    return tail;
}

sf_status sfi_tail_admits(const sf_program* program, const sf_plan* plan, const void* state, uint64_t rows)
{
    if (((uintptr_t)state & 3u) != 0)
        return SF_MISALIGNED;
    const uint32_t most = sfi_min_u32((uint32_t)INT32_MAX / (LARGEST_INPUT << plan->tail_bits), MOST_ROWS);
    rows += sfi_word(part_of(plan, state));
    return rows <= most && sfi_before_admits(program, plan, rows) ? SF_OK : SF_TOO_LARGE;
}

void sfi_tail_clear(const sf_plan* plan, void* state)
{
    if (sfi_has_tail(plan))
        sfi_fill(part_of(plan, state), 0, plan->tail_bytes);
}

void sfi_tail_note(const sf_plan* plan, const sfi_tail* tail, void* state)
{
    uint8_t* part = part_of(plan, state);
    const uint32_t rows = sfi_word(part) + tail->rows;
    sfi_copy(part, &rows, sizeof rows);
}

SFI_CLONES
static void add_moments(int32_t* sums, uint32_t* squares, const int8_t* x, int32_t zero, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const int32_t value = x[i] - zero;
        sums[i] += value;
        squares[i] += (uint32_t)(value * value);
    }
}

/* Inputs and their squares of `rows` samples. */
static void add_inputs(const sfi_tail* tail, const int8_t* x, const sf_tensor* in, uint32_t rows)
{
    const uint32_t inputs = (uint32_t)in->elements;
#if __STDC_HOSTED__
    int32_t sums[COLUMNS];
    uint32_t squares[COLUMNS];
    for (uint32_t at = 0, count; at < inputs; at += count) {
        count = sfi_min_u32(COLUMNS, inputs - at);
        sfi_fill(sums, 0, count * sizeof *sums);
        sfi_fill(squares, 0, count * sizeof *squares);
        for (uint32_t r = 0; r < rows; r++)
            add_moments(sums, squares, x + (size_t)r * inputs + at, in->zero_point, count);
        sfi_add_all(tail->inputs + at, sums, count, tail->shared);
        sfi_add_all((int32_t*)tail->squares + at, (const int32_t*)squares, count, tail->shared);
    }
#else
    for (uint32_t r = 0; r < rows; r++)
        add_moments(tail->inputs, tail->squares, x + (size_t)r * inputs, in->zero_point, inputs);
#endif
}

/* One class's products with `rows` samples. */
static void add_class(int32_t* sums, const int8_t* x, const sf_tensor* in, const int32_t* errors, uint32_t rows,
                      int shared)
{
    const uint32_t inputs = (uint32_t)in->elements;
#if __STDC_HOSTED__
    int32_t part[COLUMNS];
    for (uint32_t at = 0, count; at < inputs; at += count) {
        count = sfi_min_u32(COLUMNS, inputs - at);
        sfi_fill(part, 0, count * sizeof *part);
        for (uint32_t r = 0; r < rows; r++)
            sfi_add_products(part, x + (size_t)r * inputs + at, in->zero_point, errors[r], count);
        sfi_add_all(sums + at, part, count, shared);
    }
#else
    (void)shared;
    for (uint32_t r = 0; r < rows; r++)
        sfi_add_products(sums, x + (size_t)r * inputs, in->zero_point, errors[r], inputs);
#endif
}

void sfi_tail_add(const sf_program* program, const sf_plan* plan, sfi_tail* tail, const int8_t* x, const void* data,
                  const int32_t* labels, uint32_t n)
{
    const sf_op* op = program->ops + plan->tail_op;
    const sf_tensor *in = sfi_input(program, op, 0), *out = sfi_output(program, op);
    const uint32_t inputs = (uint32_t)in->elements, classes = (uint32_t)out->elements;
    sfi_shares found[ROWS];
    int32_t errors[ROWS];
    for (uint32_t at = 0, rows; at < n; at += rows, x += (size_t)rows * inputs) {
        rows = sfi_min_u32(ROWS, n - at);
        for (uint32_t r = 0; r < rows; r++)
            found[r] = sfi_shares_of(plan, out, data, at + r);
        for (uint32_t c = 0; c < classes; c++) {
            int32_t sum = 0;
            for (uint32_t r = 0; r < rows; r++)
                sum += errors[r] = sfi_error_of(plan, found + r, c, labels[at + r]);
            if (tail->bias != NULL)
                sfi_add_to(tail->bias + c, sum);
            if (tail->weight != NULL)
                add_class(tail->weight + (size_t)c * inputs, x, in, errors, rows, tail->shared);
        }
        if (tail->inputs != NULL)
            add_inputs(tail, x, in, rows);
    }
    tail->rows += n;
}

/* For each input, its mean in place of its sum, and in place of its squares the divisor of what it is multiplied with,
 * 17 bits of it and above them the shift. */
void sfi_tail_settle(const sf_program* program, const sf_plan* plan, void* state)
{
    if (!sfi_has_tail(plan) || plan->tail_inputs == 0)
        return;
    const sfi_tail tail = sfi_tail_of(program, plan, state);
    const uint32_t inputs = plan->tail_inputs, rows = sfi_word(part_of(plan, state));
    uint64_t total = 0;
    if (rows == 0)
        return;
    if (plan->before_count > 0)
        sfi_before_settle(program, plan, &tail.before);
    const sfi_divisor by_rows = sfi_divisor_of(rows);
    for (uint32_t i = 0; i < inputs; i++) {
        const int64_t sum = tail.bias != NULL ? tail.inputs[i] : 0;
        tail.squares[i] -= (uint32_t)((uint64_t)(sum * sum) / rows);
        tail.inputs[i] = (int32_t)sfi_quotient(sum, by_rows);
        total += tail.squares[i];
    }
    for (uint32_t i = 0; i < inputs; i++) {
        const sfi_divisor by = sfi_divisor_of((uint64_t)inputs * tail.squares[i] + (total >> 4) + rows);
        tail.squares[i] = (uint32_t)by.times | by.shift << 24;
    }
}

/* g of one weight. */
static int64_t weight_gradient(const sfi_tail* tail, uint32_t inputs, uint32_t c, uint32_t i)
{
    const sfi_divisor by = {tail->squares[i] & 0xffffffu, tail->squares[i] >> 24};
    const int64_t error = tail->bias != NULL ? tail->bias[c] : 0;
    const int64_t centred = (error * tail->inputs[i] + ((int64_t)1 << (MEAN_BITS - 1))) >> MEAN_BITS;
    return sfi_quotient(tail->weight[(size_t)c * inputs + i] - centred, by);
}

/* g of one bias: its own, less what the weights' moves do to the logit of the mean input. */
static int64_t bias_gradient(const sfi_tail* tail, uint32_t inputs, uint32_t c, sfi_divisor by_rows)
{
    int64_t g = sfi_quotient(tail->bias[c], by_rows);
    for (uint32_t i = 0; i < inputs; i++) {
        const int64_t moved = weight_gradient(tail, inputs, c, i) * tail->inputs[i];
        g -= 4 * ((moved + ((int64_t)1 << (MEAN_BITS - 1))) >> MEAN_BITS);
    }
    g = (g + (1 << (BIAS_BITS - 1))) >> BIAS_BITS;
    return g > MOST_GRADIENT ? MOST_GRADIENT : g < -MOST_GRADIENT ? -MOST_GRADIENT : g;
}

void sfi_tail_gradient(const sf_program* program, const sf_plan* plan, const void* state, const sf_trainable* entry,
                       uint32_t first, uint32_t count, int32_t* g)
{
    const int is_weight = (int32_t)entry->tensor == program->ops[plan->tail_op].weight;
    const uint32_t inputs = plan->tail_inputs, rows = sfi_word(part_of(plan, state));
    const sfi_tail tail = sfi_tail_of(program, plan, (void*)(uintptr_t)state);
    if (rows == 0) {
        sfi_fill(g, 0, count * sizeof *g);
        return;
    }
    if ((uint32_t)(entry - plan->trainables) < plan->voted_count + plan->before_count) {
        sfi_before_gradient(&tail.before, (int32_t)entry->tensor == program->ops[plan->before_op].weight, first, count,
                            g);
        return;
    }
    const sfi_divisor by_rows = sfi_divisor_of(rows);
    for (uint32_t at = 0; at < count; at++)
        g[at] = (int32_t)(is_weight ? weight_gradient(&tail, inputs, (first + at) / inputs, (first + at) % inputs)
                                    : bias_gradient(&tail, inputs, first + at, by_rows));
}
