/* The last layer by its exact gradient (contract, section 10): sums over the samples that are run anyway. */
#include "base/integers.h"
#include "base/tensors.h"
#include "losses/cross_entropy.h"
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
    const sf_op* op = program->ops + plan->tail_op;
    sfi_tail tail = {NULL, NULL, NULL, NULL, 0};
    int32_t* at = (int32_t*)(void*)(part_of(plan, state) + HEAD_BYTES);
    for (uint32_t i = plan->voted_count; i < plan->trainable_count; i++) {
        const int32_t tensor = (int32_t)plan->trainables[i].tensor;
        *(tensor == op->weight ? &tail.weight : &tail.bias) = at;
        at += program->tensors[tensor].elements;
    }
    if (plan->tail_inputs > 0) {
        tail.inputs = at;
        tail.squares = (uint32_t*)at + plan->tail_inputs;
    }
    return tail;
}

sf_status sfi_tail_admits(const sf_plan* plan, const void* state, uint64_t rows)
{
    if (((uintptr_t)state & 3u) != 0)
        return SF_MISALIGNED;
    const uint32_t most = sfi_min_u32((uint32_t)INT32_MAX / (LARGEST_INPUT << plan->tail_bits), MOST_ROWS);
    return sfi_word(part_of(plan, state)) + rows <= most ? SF_OK : SF_TOO_LARGE;
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

/* e(t) of one logit, and over the classes of a sample: the largest logit, and the sum of e. */
typedef struct softmax {
    const void* data;
    size_t first;
    int32_t type, top;
    int64_t sum;
} softmax;

static int64_t power(const sf_plan* plan, const softmax* s, uint32_t c)
{
    const int64_t half = plan->loss_shift > 0 ? (int64_t)1 << (plan->loss_shift - 1) : 0;
    const int64_t less = (int64_t)s->top - sfi_load(s->data, s->type, s->first + c);
    return sfi_exp2_negative((less * (int64_t)plan->loss_mult + half) >> plan->loss_shift);
}

static softmax softmax_of(const sf_plan* plan, const sf_tensor* out, const void* data, uint32_t row)
{
    const uint32_t classes = (uint32_t)out->elements;
    softmax s = {data, (size_t)row * classes, out->dtype, INT32_MIN, 0};
    for (uint32_t c = 0; c < classes; c++) {
        const int32_t a = sfi_load(data, s.type, s.first + c);
        s.top = a > s.top ? a : s.top;
    }
    for (uint32_t c = 0; c < classes; c++)
        s.sum += power(plan, &s, c);
    return s;
}

/* Softmax less one at the label, with tail_bits of fraction. e <= 2^30 and 14 bits more stay far below 2^64. */
static int32_t error_of(const sf_plan* plan, const softmax* s, uint32_t c, int32_t label)
{
    const uint64_t p = ((uint64_t)power(plan, s, c) << plan->tail_bits) + ((uint64_t)s->sum >> 1);
    return (int32_t)(p / (uint64_t)s->sum) - ((int32_t)c == label ? (int32_t)1 << plan->tail_bits : 0);
}

/* |error * X| <= 2^14 * 255, and sfi_tail_admits() leaves no more rows than fit 32 bits. */
SFI_CLONES
static void add_products(int32_t* sums, const int8_t* x, int32_t zero, int32_t error, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sums[i] += error * (x[i] - zero);
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

/* Add to a sum that other threads add to. */
static void add(int32_t* sum, int32_t value)
{
#if __STDC_HOSTED__
    __atomic_fetch_add(sum, value, __ATOMIC_RELAXED);
#else
    *sum += value;
#endif
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
        for (uint32_t i = 0; i < count; i++) {
            add(tail->inputs + at + i, sums[i]);
            add((int32_t*)tail->squares + at + i, (int32_t)squares[i]);
        }
    }
#else
    for (uint32_t r = 0; r < rows; r++)
        add_moments(tail->inputs, tail->squares, x + (size_t)r * inputs, in->zero_point, inputs);
#endif
}

/* One class's products with `rows` samples. */
static void add_class(int32_t* sums, const int8_t* x, const sf_tensor* in, const int32_t* errors, uint32_t rows)
{
    const uint32_t inputs = (uint32_t)in->elements;
#if __STDC_HOSTED__
    int32_t part[COLUMNS];
    for (uint32_t at = 0, count; at < inputs; at += count) {
        count = sfi_min_u32(COLUMNS, inputs - at);
        sfi_fill(part, 0, count * sizeof *part);
        for (uint32_t r = 0; r < rows; r++)
            add_products(part, x + (size_t)r * inputs + at, in->zero_point, errors[r], count);
        for (uint32_t i = 0; i < count; i++)
            add(sums + at + i, part[i]);
    }
#else
    for (uint32_t r = 0; r < rows; r++)
        add_products(sums, x + (size_t)r * inputs, in->zero_point, errors[r], inputs);
#endif
}

void sfi_tail_add(const sf_program* program, const sf_plan* plan, sfi_tail* tail, const int8_t* x, const void* data,
                  const int32_t* labels, uint32_t n)
{
    const sf_op* op = program->ops + plan->tail_op;
    const sf_tensor *in = sfi_input(program, op, 0), *out = sfi_output(program, op);
    const uint32_t inputs = (uint32_t)in->elements, classes = (uint32_t)out->elements;
    softmax found[ROWS];
    int32_t errors[ROWS];
    for (uint32_t at = 0, rows; at < n; at += rows, x += (size_t)rows * inputs) {
        rows = sfi_min_u32(ROWS, n - at);
        for (uint32_t r = 0; r < rows; r++)
            found[r] = softmax_of(plan, out, data, at + r);
        for (uint32_t c = 0; c < classes; c++) {
            int32_t sum = 0;
            for (uint32_t r = 0; r < rows; r++)
                sum += errors[r] = error_of(plan, found + r, c, labels[at + r]);
            if (tail->bias != NULL)
                add(tail->bias + c, sum);
            if (tail->weight != NULL)
                add_class(tail->weight + (size_t)c * inputs, x, in, errors, rows);
        }
        if (tail->inputs != NULL)
            add_inputs(tail, x, in, rows);
    }
    tail->rows += n;
}

/* A divisor as a reciprocal of 16 bits: v * 2^15 / d is (v * times + half) >> shift. */
typedef struct divisor {
    int64_t times;
    uint32_t shift;
} divisor;

static divisor divisor_of(uint64_t d)
{
    uint32_t k = 0;
    while (k < 63 && d >> k != 0)
        k++;
    const uint64_t normal = k <= 32 ? d << (32 - k) : d >> (k - 32);
    const divisor by = {(int64_t)(((uint64_t)1 << 47) / normal), k};
    return by;
}

static int64_t quotient(int64_t value, divisor by)
{
    return (value * by.times + ((int64_t)1 << (by.shift - 1))) >> by.shift;
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
    const divisor by_rows = divisor_of(rows);
    for (uint32_t i = 0; i < inputs; i++) {
        const int64_t sum = tail.bias != NULL ? tail.inputs[i] : 0;
        tail.squares[i] -= (uint32_t)((uint64_t)(sum * sum) / rows);
        tail.inputs[i] = (int32_t)quotient(sum, by_rows);
        total += tail.squares[i];
    }
    for (uint32_t i = 0; i < inputs; i++) {
        const divisor by = divisor_of((uint64_t)inputs * tail.squares[i] + (total >> 4) + rows);
        tail.squares[i] = (uint32_t)by.times | by.shift << 24;
    }
}

/* g of one weight. */
static int64_t weight_gradient(const sfi_tail* tail, uint32_t inputs, uint32_t c, uint32_t i)
{
    const divisor by = {tail->squares[i] & 0xffffffu, tail->squares[i] >> 24};
    const int64_t error = tail->bias != NULL ? tail->bias[c] : 0;
    const int64_t centred = (error * tail->inputs[i] + ((int64_t)1 << (MEAN_BITS - 1))) >> MEAN_BITS;
    return quotient(tail->weight[(size_t)c * inputs + i] - centred, by);
}

/* g of one bias: its own, less what the weights' moves do to the logit of the mean input. */
static int64_t bias_gradient(const sfi_tail* tail, uint32_t inputs, uint32_t c, divisor by_rows)
{
    int64_t g = quotient(tail->bias[c], by_rows);
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
    const divisor by_rows = divisor_of(rows);
    for (uint32_t at = 0; at < count; at++)
        g[at] = (int32_t)(is_weight ? weight_gradient(&tail, inputs, (first + at) / inputs, (first + at) % inputs)
                                    : bias_gradient(&tail, inputs, first + at, by_rows));
}
