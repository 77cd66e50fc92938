/* The last layer by its exact gradient (contract, section 10): sums over the samples that are run anyway. */
#include "base/integers.h"
#include "base/tensors.h"
#include "losses/cross_entropy.h"
#include "train/tail.h"

#define LARGEST_INPUT 255u

/* In the state: the energy, low word first, the rows, a word of 0, and the sums. */
#define HEAD_BYTES 16u

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

static uint64_t energy_of(const uint8_t* part) { return sfi_word(part) | (uint64_t)sfi_word(part + 4) << 32; }

sfi_tail sfi_tail_of(const sf_program* program, const sf_plan* plan, void* state)
{
    const sf_op* op = program->ops + plan->tail_op;
    sfi_tail tail = {NULL, NULL, 0, 0};
    int32_t* at = (int32_t*)(void*)(part_of(plan, state) + HEAD_BYTES);
    for (uint32_t i = plan->voted_count; i < plan->trainable_count; i++) {
        const int32_t tensor = (int32_t)plan->trainables[i].tensor;
        *(tensor == op->weight ? &tail.weight : &tail.bias) = at;
        at += program->tensors[tensor].elements;
    }
    return tail;
}

sf_status sfi_tail_admits(const sf_plan* plan, const void* state, uint64_t rows)
{
    if (((uintptr_t)state & 3u) != 0)
        return SF_MISALIGNED;
    const uint32_t most = (uint32_t)INT32_MAX / (LARGEST_INPUT << plan->tail_bits);
    return sfi_word(part_of(plan, state) + 8) + rows <= most ? SF_OK : SF_TOO_LARGE;
}

void sfi_tail_clear(const sf_plan* plan, void* state)
{
    if (sfi_has_tail(plan))
        sfi_fill(part_of(plan, state), 0, plan->tail_bytes);
}

void sfi_tail_note(const sf_plan* plan, const sfi_tail* tail, void* state)
{
    uint8_t* part = part_of(plan, state);
    const uint64_t energy = energy_of(part) + tail->energy;
    const uint32_t words[3] = {(uint32_t)energy, (uint32_t)(energy >> 32), sfi_word(part + 8) + tail->rows};
    sfi_copy(part, words, sizeof words);
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
static uint64_t squares(const int8_t* x, int32_t zero, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t at = 0, some; at < count; at += some) {
        uint32_t part = 0; /* of 2^15 squares below 2^16 */
        some = sfi_min_u32(count - at, 1u << 15);
        for (uint32_t i = at; i < at + some; i++)
            part += (uint32_t)((x[i] - zero) * (x[i] - zero));
        sum += part;
    }
    return sum;
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
        tail->energy += rows + squares(x, in->zero_point, rows * inputs);
    }
    tail->rows += n;
}

void sfi_tail_gradient(const sf_program* program, const sf_plan* plan, const void* state, const sf_trainable* entry,
                       uint32_t first, uint32_t count, int32_t* g)
{
    const sf_op* op = program->ops + plan->tail_op;
    const uint8_t* part = part_of(plan, state);
    const sfi_tail tail = sfi_tail_of(program, plan, (void*)(uintptr_t)state);
    const int is_weight = (int32_t)entry->tensor == op->weight;
    const int32_t* sums = (is_weight ? tail.weight : tail.bias) + first;
    const uint64_t divisor = is_weight ? energy_of(part) : sfi_word(part + 8);
    uint32_t k = 0;
    while (k < 63 && divisor >> k != 0)
        k++;
    if (k == 0) {
        sfi_fill(g, 0, count * sizeof *g);
        return;
    }
    /* the reciprocal has 16 bits and a sum 31, and g is below 2^15 times a quotient of at most 2^14 */
    const uint64_t normal = k <= 32 ? divisor << (32 - k) : divisor >> (k - 32);
    const int64_t reciprocal = (int64_t)(((uint64_t)1 << 47) / normal), half = (int64_t)1 << (k - 1);
    for (uint32_t i = 0; i < count; i++)
        g[i] = (int32_t)((sums[i] * reciprocal + half) >> k);
}
