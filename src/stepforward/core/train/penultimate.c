/* The layer before the last by its exact gradient (contract, section 10): errors go through the last layer, whose
 * response to each of its inputs is a column of its weights, and are multiplied with what this layer's weights were. */
#include "train/penultimate.h"
#include "base/integers.h"
#include "base/quotient.h"
#include "base/tensors.h"
#include "base/weights.h"
#include "multiply/stage.h"
#include "operators/operator.h"
#include "train/errors.h"
#include "train/divisor.h"
#include "train/sums.h"

#define LARGEST_INPUT 255u
#define MOST_GRADIENT ((int64_t)1 << 29)

/* Positions whose inputs of 8 bits are summed up in 16. */
#define MOST_SUMMED 255u

/* Bits of a sum whose square is summed up. */
#define ROOT_BITS 20

/* Samples and products that are added together; a multiple of two columns, for weights of four bits. */
#if __STDC_HOSTED__
#define ROWS 16u
#define COLUMNS 256u
#else
#define ROWS 1u
#define COLUMNS 64u
#endif

/* The layer as what follows reads it: one position and one tap if it is fully connected. */
typedef struct layer {
    sfi_window window;
    uint32_t height, width, inputs; /* of its input */
    uint32_t rows, columns, channels;
    int32_t zero, lo, hi;
} layer;

static layer layer_of(const sf_program* program, const sf_op* op)
{
    const sf_tensor *x = sfi_input(program, op, 0), *y = sfi_output(program, op);
    const uint32_t channels = (uint32_t)program->tensors[op->weight].dims[0];
    const sfi_window one = {1, 1, 1, 1, 0, 0, 0, 0, 1, 1};
    layer l = {one, 1, 1, (uint32_t)x->elements, 1, 1, channels, x->zero_point, op->lo, op->hi};
    if (op->kind == SFI_CONV) {
        l.window = *sfi_window_of(program, op);
        l.height = (uint32_t)x->dims[0];
        l.width = (uint32_t)x->dims[1];
        l.inputs = (uint32_t)x->dims[2];
        l.rows = (uint32_t)y->dims[0];
        l.columns = (uint32_t)y->dims[1];
    }
    return l;
}

int sfi_before_admits(const sf_program* program, const sf_plan* plan, uint64_t rows)
{
    if (plan->before_count == 0)
        return 1;
    const layer l = layer_of(program, program->ops + plan->before_op);
    const uint64_t product = (uint64_t)LARGEST_INPUT * l.rows * l.columns << plan->before_bits;
    return rows <= (uint64_t)INT32_MAX / product;
}

SFI_CLONES
static void add_row(int32_t* passed, const int16_t* weights, int32_t error, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        passed[i] += error * weights[i];
}

/* Errors of one sample at the inputs of the last layer. Errors of a sample are at most 2^(F+1) and half a unit for each
 * class in sum, so that sums of their products with weights of 16 bits stay below 2^31. */
static void pass_on(const sf_program* program, const sf_plan* plan, const void* weights, const sfi_left* left,
                    uint32_t row, int32_t* passed)
{
    const sf_op* op = program->ops + plan->tail_op;
    const sf_tensor *out = sfi_output(program, op), *w = program->tensors + op->weight;
    const uint8_t* data = sfi_weight_at(program, plan, weights, (uint32_t)op->weight);
    const uint32_t inputs = plan->tail_inputs, classes = (uint32_t)out->elements;
    const int32_t most = ((int32_t)1 << plan->before_bits) - 1, shift = (int32_t)plan->before_shift;
    const int32_t half = shift > 0 ? (int32_t)1 << (shift - 1) : 0;
    const sfi_shares s = sfi_shares_of(plan, out, left->logits, row);
    int16_t wide[COLUMNS + 2];
    sfi_fill(passed, 0, inputs * sizeof *passed);
    for (uint32_t c = 0; c < classes; c++) {
        const int32_t error = sfi_error_of(plan, &s, c, left->labels[row]);
        for (uint32_t at = 0, count; error != 0 && at < inputs; at += count) {
            const uint32_t first = c * inputs + at, odd = first & 1u; /* weights of four bits lie in pairs */
            count = sfi_min_u32(COLUMNS, inputs - at);
            sfi_widen_weights(w, data, first - odd, count + odd, wide);
            add_row(passed + at, wide + odd, error, count);
        }
    }
    for (uint32_t i = 0; i < inputs; i++)
        passed[i] = sfi_clamp((int32_t)(((int64_t)passed[i] + half) >> shift), -most, most);
}

/* Inputs summed up over the positions of a row where the output may move; x and y are one position's after the other.
 * Returns how many there were. */
SFI_CLONES
static int32_t add_open(int16_t* sums, const int8_t* x, size_t x_step, const int8_t* y, size_t y_step, int32_t lo,
                        int32_t hi, uint32_t positions, uint32_t count)
{
    int32_t open = 0;
    for (uint32_t p = 0; p < positions; p++, x += x_step, y += y_step) {
        const int16_t mask = (int16_t)-((*y > lo) & (*y < hi));
        if (!__STDC_HOSTED__ && mask == 0) /* a host would guess this branch wrong half of the time */
            continue;
        for (uint32_t i = 0; i < count; i++)
            sums[i] = (int16_t)(sums[i] + (x[i] & mask));
        open -= mask;
    }
    return open;
}

SFI_CLONES
static void add_scaled(int32_t* products, int16_t* sums, int32_t less, int32_t error, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        products[i] += error * (sums[i] - less);
        sums[i] = 0;
    }
}

/* The first position of a row from which a tap at `offset` reads an input, and the first after those that do. */
static uint32_t first_inside(int32_t offset, int32_t stride)
{
    return offset < 0 ? (uint32_t)((stride - 1 - offset) / stride) : 0;
}

static uint32_t end_inside(int32_t offset, int32_t stride, uint32_t size, uint32_t positions)
{
    return offset >= (int32_t)size ? 0 : sfi_min_u32(positions, (uint32_t)(((int32_t)size - 1 - offset) / stride + 1));
}

/* Products of one channel's error and the inputs under one tap, at all positions of a sample. */
static void add_tap(const layer* l, const int8_t* x, const int8_t* y, int32_t error, uint32_t ky, uint32_t kx,
                    uint32_t at, uint32_t count, int32_t* products)
{
    const int32_t above = (int32_t)ky * l->window.dilation_h - l->window.pad_top,
                  left = (int32_t)kx * l->window.dilation_w - l->window.pad_left, sh = l->window.stride_h,
                  sw = l->window.stride_w;
    const uint32_t first = first_inside(left, sw), end = end_inside(left, sw, l->width, l->columns);
    const uint32_t bottom = end_inside(above, sh, l->height, l->rows);
    int16_t sums[COLUMNS];
    int32_t open = 0;
    sfi_fill(sums, 0, count * sizeof *sums);
    for (uint32_t oy = first_inside(above, sh); oy < bottom; oy++) {
        const size_t row = (size_t)((int32_t)oy * sh + above) * l->width;
        for (uint32_t ox = first, some; ox < end; ox += some) {
            some = sfi_min_u32(end - ox, MOST_SUMMED - (uint32_t)open);
            open +=
                add_open(sums, x + (row + (size_t)((int32_t)ox * sw + left)) * l->inputs + at, (size_t)sw * l->inputs,
                         y + (size_t)(oy * l->columns + ox) * l->channels, l->channels, l->lo, l->hi, some, count);
            if (open == (int32_t)MOST_SUMMED) {
                add_scaled(products, sums, open * l->zero, error, count);
                open = 0;
            }
        }
    }
    if (open > 0)
        add_scaled(products, sums, open * l->zero, error, count);
}

SFI_CLONES
static void count_open(int32_t* counts, const int8_t* y, int32_t lo, int32_t hi, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        counts[i] += (y[i] > lo) & (y[i] < hi);
}

/* The biases with one sample: its errors, at every position where the output may move. */
static void add_biases(const layer* l, int32_t* bias, const int8_t* y, const int32_t* passed, int shared)
{
    int32_t counts[COLUMNS];
    for (uint32_t at = 0, count; at < l->channels; at += count) {
        count = sfi_min_u32(COLUMNS, l->channels - at);
        sfi_fill(counts, 0, count * sizeof *counts);
        for (uint32_t p = 0; p < l->rows * l->columns; p++)
            count_open(counts, y + (size_t)p * l->channels + at, l->lo, l->hi, count);
        for (uint32_t i = 0; i < count; i++)
            counts[i] *= passed[at + i];
        sfi_add_all(bias + at, counts, count, shared);
    }
}

/* One channel with `rows` samples. passed: its errors, those of a sample `channels` after those of the one before. */
static void add_channel(const layer* l, int32_t* weight, const int8_t* x, const int8_t* y, uint32_t rows,
                        const int32_t* passed, int shared)
{
    const size_t in = (size_t)l->height * l->width * l->inputs, out = (size_t)l->rows * l->columns * l->channels;
    const uint32_t taps = (uint32_t)(l->window.kernel_h * l->window.kernel_w);
    const int at_once =
        in == l->inputs && out == l->channels && taps == 1 && (l->window.pad_top | l->window.pad_left) == 0;
    int32_t part[COLUMNS];
    for (uint32_t tap = 0; tap < taps; tap++) {
        const uint32_t ky = tap / (uint32_t)l->window.kernel_w, kx = tap % (uint32_t)l->window.kernel_w;
        for (uint32_t at = 0, count; at < l->inputs; at += count) {
            count = sfi_min_u32(COLUMNS, l->inputs - at);
            sfi_fill(part, 0, count * sizeof *part);
            for (uint32_t r = 0; r < rows; r++) {
                const int32_t error = passed[(size_t)r * l->channels];
                if (error == 0)
                    continue;
                if (!at_once)
                    add_tap(l, x + r * in, y + r * out, error, ky, kx, at, count, part);
                else if (y[r * out] > l->lo && y[r * out] < l->hi)
                    sfi_add_products(part, x + r * in + at, l->zero, error, count);
            }
            sfi_add_all(weight + (size_t)tap * l->inputs + at, part, count, shared);
        }
    }
}

#if __STDC_HOSTED__
static int is_pointwise(const layer* l)
{
    const sfi_window* w = &l->window;
    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 && l->rows == l->height &&
           l->columns == l->width && l->rows * l->columns > 1;
}

/* All channels with `rows` samples, where every position reads the inputs of its own place. */
static void add_tiles(const layer* l, int32_t* weight, const int8_t* x, const int8_t* y, uint32_t rows,
                      const int32_t* passed, sfi_open_kernel add, int shared)
{
    const uint32_t positions = l->rows * l->columns;
    int32_t products[SFI_OPEN_SIDE * SFI_OPEN_SIDE];
    sfi_open_tile tile = {x, y, l->inputs, l->channels, positions, 0, 0, l->zero, (int8_t)l->lo, (int8_t)l->hi, passed};
    for (uint32_t c = 0; c < l->channels; c += SFI_OPEN_SIDE)
        for (uint32_t i = 0; i < l->inputs; i += SFI_OPEN_SIDE) {
            tile.channels = sfi_min_u32(SFI_OPEN_SIDE, l->channels - c);
            tile.inputs = sfi_min_u32(SFI_OPEN_SIDE, l->inputs - i);
            sfi_fill(products, 0, sizeof products);
            for (uint32_t r = 0; r < rows; r++) {
                tile.x = x + (size_t)r * positions * l->inputs + i;
                tile.y = y + (size_t)r * positions * l->channels + c;
                tile.errors = passed + (size_t)r * l->channels + c;
                add(&tile, products);
            }
            for (uint32_t own = 0; own < tile.channels; own++)
                sfi_add_all(weight + (size_t)(c + own) * l->inputs + i, products + (size_t)own * SFI_OPEN_SIDE,
                            tile.inputs, shared);
        }
}
#endif

void sfi_before_add(const sf_program* program, const sf_plan* plan, const void* weights, const sfi_before* before,
                    const sfi_left* left, int shared)
{
    const layer l = layer_of(program, program->ops + plan->before_op);
    const size_t in = (size_t)l.height * l.width * l.inputs, out = (size_t)l.rows * l.columns * l.channels;
    const uint32_t each = (uint32_t)(l.window.kernel_h * l.window.kernel_w) * l.inputs;
#if __STDC_HOSTED__
    int32_t passed[ROWS * SFI_MOST_INPUTS];
#else
    int32_t* passed = before->passed;
#endif
    for (uint32_t at = 0, rows; at < left->n; at += rows) {
        const int8_t *x = left->x + at * in, *y = left->y + at * out;
        rows = sfi_min_u32(ROWS, left->n - at);
        for (uint32_t r = 0; r < rows; r++) {
            pass_on(program, plan, weights, left, at + r, passed + (size_t)r * l.channels);
            if (before->bias != NULL)
                add_biases(&l, before->bias, y + r * out, passed + (size_t)r * l.channels, shared);
        }
#if __STDC_HOSTED__
        if (left->open_tile != NULL && is_pointwise(&l)) {
            add_tiles(&l, before->weight, x, y, rows, passed, left->open_tile, shared);
            continue;
        }
#endif
        for (uint32_t c = 0; c < l.channels; c++)
            add_channel(&l, before->weight + (size_t)c * each, x, y + c, rows, passed + c, shared);
    }
}

static uint32_t size_of(int32_t v) { return v < 0 ? 0u - (uint32_t)v : (uint32_t)v; }

/* The root mean square of the weights' sums, at least 1: at most 2^22 squares of 20 bits each. */
void sfi_before_settle(const sf_program* program, const sf_plan* plan, const sfi_before* before)
{
    const uint32_t elements = (uint32_t)program->tensors[program->ops[plan->before_op].weight].elements;
    uint32_t most = 0, less = 0;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < elements; i++)
        most = sfi_max_u32(most, size_of(before->weight[i]));
    while (most >> (less + ROOT_BITS) != 0)
        less++;
    for (uint32_t i = 0; i < elements; i++) {
        const uint64_t size = size_of(before->weight[i]) >> less;
        sum += size * size;
    }
    const uint64_t deviation = (uint64_t)sfi_square_root(sum / elements) << less;
    const sfi_divisor by = sfi_divisor_of(deviation > 0 ? deviation : 1);
    before->by[0] = (uint32_t)by.times;
    before->by[1] = by.shift;
}

void sfi_before_gradient(const sfi_before* before, int is_weight, uint32_t first, uint32_t count, int32_t* g)
{
    const sfi_divisor by = {before->by[0], before->by[1]};
    const int32_t* sums = (is_weight ? before->weight : before->bias) + first;
    for (uint32_t i = 0; i < count; i++) {
        const int64_t found = sfi_quotient(sums[i], by);
        g[i] = (int32_t)(found > MOST_GRADIENT ? MOST_GRADIENT : found < -MOST_GRADIENT ? -MOST_GRADIENT : found);
    }
}
