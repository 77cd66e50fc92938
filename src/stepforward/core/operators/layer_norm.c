/* Layer norm over the last axis: exact sums, one square root and one reciprocal for each row. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/quotient.h"
#include "base/tensors.h"
#include "multiply/choose.h"
#include "multiply/norm.h"
#include "multiply/stage.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "random/draw.h"
#include "stepforward.h"

#define MOST_CHANNELS 32767

enum { FRACTION, UPPER, LOWER, ATTRIBUTES };

/* Weights and biases as this pass has them. */
typedef struct parameters {
    const int16_t* gamma;
    const int32_t* beta;
} parameters;

/* On a host a row as words comes first. */
static uint64_t work(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile,
                     int plain)
{
    (void)kernels;
    const sf_tensor* gamma = program->tensors + op->weight;
    const uint64_t channels = (uint64_t)gamma->elements, words = sfi_for_device(row_tile) ? 0 : channels;
    return words * sizeof(int32_t) +
           (plain && gamma->dtype == SF_S16 ? 0 : channels * (sizeof(int32_t) + sizeof(int16_t)));
}

static parameters stage(const sfi_call* call, uint32_t channels)
{
    const uint32_t weight = (uint32_t)call->op->weight, bias = (uint32_t)call->op->bias;
    parameters p = {sfi_stored_s16(call->pass, weight, 0), sfi_stored_s32(call->pass, bias, 0)};
    int32_t* beta = (int32_t*)call->work + (sfi_for_device(call->row_tile) ? 0 : channels);
    if (p.beta == NULL) {
        sfi_stage_s32(call->pass, bias, 0, channels, beta);
        p.beta = beta;
    }
    if (p.gamma == NULL) {
        int16_t* gamma = (int16_t*)(beta + channels);
        const sfi_source source = sfi_source_of(call->pass, weight);
        for (uint32_t at = 0; at < channels; at += SFI_CHUNK)
            sfi_stage_s16(&source, at, sfi_min_u32(SFI_CHUNK, channels - at), gamma + at);
        p.gamma = gamma;
    }
    return p;
}

/* A row's mean and deviation: z = (count*x - total) * inverse / 2^shift. */
typedef struct moments {
    int64_t total;
    uint32_t inverse, shift;
} moments;

/* count < 2^15 and |x| <= 2^15: total < 2^30, count*squares < 2^60, and what is added to the spread is below 2^62. */
static moments moments_of(const sfi_call* call, int64_t total, int64_t squares, int64_t count)
{
    const sf_program* p = call->pass->program;
    const uint64_t least =
        ((uint64_t)(uint32_t)sfi_attribute(p, call->op, UPPER) << 31) + (uint32_t)sfi_attribute(p, call->op, LOWER);
    const uint64_t spread = (uint64_t)(count * squares - total * total) + least;
    const uint32_t halves = (62u - sfi_top_bit(spread)) >> 1;
    const moments m = {total, sfi_reciprocal(62, sfi_square_root(spread << (2 * halves))),
                       62u - halves - (uint32_t)sfi_attribute(p, call->op, FRACTION)};
    return m;
}

/* |count*x - total| < 2^31 and the inverse is at most 2^31.5; |z*gamma + beta| < 2^32. */
static void finish(const sfi_call* call, const parameters* p, const moments* m, size_t at, int32_t count)
{
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, 0);
    const int32_t step = call->op->rescale_count == 1 ? 0 : 2;
    const int64_t half = (int64_t)1 << (m->shift - 1);
    for (int32_t j = 0; j < count; j++, pair += step) {
        const int64_t d = (int64_t)count * sfi_load(call->x, call->in->dtype, at + (size_t)j) - m->total;
        const int64_t z = (d * m->inverse + half) >> m->shift;
        const int64_t acc = (z < -32768 ? -32768 : z > 32767 ? 32767 : z) * p->gamma[j] + p->beta[j];
        sfi_store(call->y, call->out->dtype, at + (size_t)j,
                  sfi_requantize(acc, pair[0], pair[1], call->out->zero_point, call->op->lo, call->op->hi));
    }
}

#if __STDC_HOSTED__
/* Whether z*gamma + beta fits into int32, and so does what the pairs make of it. */
static int is_narrow(const sfi_call* call, const parameters* p, int32_t count)
{
    int narrow = 1;
    for (uint32_t i = 0; i < (uint32_t)call->op->rescale_count; i++)
        narrow &= sfi_rescale_pair(call->pass->program, call->op, i)[1] >= 17;
    for (int32_t j = 0; j < count; j++)
        narrow &= p->beta[j] >= -(1 << 30) && p->beta[j] < 1 << 30;
    return narrow;
}

SFI_CLONES
static void load_row(const sfi_call* call, size_t at, int32_t count, int32_t* restrict x, int64_t* total,
                     int64_t* squares)
{
    if (call->in->dtype == SF_S16)
        for (int32_t j = 0; j < count; j++)
            x[j] = ((const int16_t*)call->x)[at + (size_t)j];
    else
        for (int32_t j = 0; j < count; j++)
            x[j] = ((const int8_t*)call->x)[at + (size_t)j];
    int32_t sum = 0; /* at most 32767 of 2^15 */
    int64_t all = 0;
    for (int32_t j = 0; j < count; j++) {
        sum += x[j];
        all += x[j] * x[j];
    }
    *total = sum;
    *squares = all;
}

static void finish_narrow(const sfi_call* call, const parameters* p, const moments* m, size_t at, int32_t count,
                          int32_t* x)
{
    const size_t bytes = call->out->dtype == SF_S16 ? sizeof(int16_t) : 1;
    const sfi_norm norm = {count,
                           (int32_t)m->total,
                           m->inverse,
                           m->shift,
                           p->gamma,
                           p->beta,
                           sfi_rescale_pair(call->pass->program, call->op, 0),
                           call->op->rescale_count == 1 ? 0 : 2,
                           call->out->zero_point,
                           call->op->lo,
                           call->op->hi,
                           call->out->dtype};
    call->pass->kernels->norm(&norm, 0, x, (int8_t*)call->y + at * bytes);
}
#endif

static void sum_row(const sfi_call* call, size_t at, int32_t count, int64_t* total, int64_t* squares)
{
    for (int32_t j = 0; j < count; j++) {
        const int32_t x = sfi_load(call->x, call->in->dtype, at + (size_t)j);
        *total += x;
        *squares += x * x;
    }
}

static void run(const sfi_call* call)
{
    const int32_t count = call->in->dims[call->in->rank - 1];
    const parameters p = stage(call, (uint32_t)count);
    const size_t rows = (size_t)call->n * (size_t)call->in->elements / (size_t)count;
#if __STDC_HOSTED__
    int32_t* words = (int32_t*)call->work;
    const int narrow = !sfi_for_device(call->row_tile) && is_narrow(call, &p, count);
#endif
    for (size_t row = 0; row < rows; row++) {
        const size_t at = row * (size_t)count;
        int64_t total = 0, squares = 0;
#if __STDC_HOSTED__
        if (narrow) {
            load_row(call, at, count, words, &total, &squares);
            const moments m = moments_of(call, total, squares, count);
            finish_narrow(call, &p, &m, at, count, words);
            continue;
        }
#endif
        sum_row(call, at, count, &total, &squares);
        const moments m = moments_of(call, total, squares, count);
        finish(call, &p, &m, at, count);
    }
}

static int fits(const sf_program* p, const sf_op* op)
{
    const sf_tensor *in = sfi_input(p, op, 0), *gamma = p->tensors + op->weight;
    const int32_t channels = in->dims[in->rank - 1], upper = sfi_attribute(p, op, UPPER),
                  lower = sfi_attribute(p, op, LOWER);
    return sfi_same_shape(in, sfi_output(p, op)) && sfi_has_dims(gamma, 1, channels, 1, 1, 1) &&
           sfi_parameters_fit(p, op, channels, 1) && sfi_within(sfi_attribute(p, op, FRACTION), 0, 15) && upper >= 0 &&
           lower >= 0 && (upper > 0 || lower > 0);
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor* in = sfi_input(p, op, 0);
    return sfi_checked(sfi_has_parameters(op, ATTRIBUTES) && fits(p, op), in->dims[in->rank - 1] <= MOST_CHANNELS);
}

const sfi_operator sfi_layer_norm = {check, work, run, NULL, 0};
