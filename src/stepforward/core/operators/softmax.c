/* Softmax over the last axis: powers of two as the loss has them, and one reciprocal of their sum for each row. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/quotient.h"
#include "base/tensors.h"
#include "losses/cross_entropy.h"
#include "multiply/choose.h"
#include "multiply/softmax.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

#define MOST_COLUMNS 65536

/* 2^30 * 2^-(distance as bits). The distance is at most 255, so the product is below 2^24. */
static uint32_t power_of(const int32_t* pair, uint32_t distance)
{
    const int64_t half = pair[1] > 0 ? (int64_t)1 << (pair[1] - 1) : 0;
    return (uint32_t)sfi_exp2_negative(((int64_t)distance * pair[0] + half) >> pair[1]);
}

/* sum: 2^30 <= sum < 2^46, so the power times the inverse is at most 2^61. From shift 63 on all are 0. */
static sfi_divisor divisor_of(const sfi_call* call, uint64_t sum)
{
    const uint32_t bits = (uint32_t)sfi_attribute(call->pass->program, call->op, 0);
    const uint32_t k = sfi_top_bit(sum), shift = 31 + k - bits;
    const sfi_divisor d = {(uint64_t)1 << (shift > 62 ? 62 : shift - 1),
                           sfi_reciprocal(61, (uint32_t)(sum >> (k - 30))),
                           shift > 62 ? 63 : shift,
                           call->out->zero_point,
                           call->op->lo,
                           call->op->hi,
                           call->out->dtype};
    return d;
}

static int32_t quotient(const sfi_divisor* d, uint32_t power)
{
    const int32_t p = (int32_t)(((uint64_t)power * d->inverse + d->half) >> d->shift);
    return sfi_clamp(p + d->zero_point, d->lo, d->hi);
}

SFI_CLONES
static int8_t largest(const int8_t* x, size_t count)
{
    int8_t top = x[0];
    for (size_t j = 1; j < count; j++)
        top = x[j] > top ? x[j] : top;
    return top;
}

/* The words of the row of a mask that a row reads by, or NULL. */
static const int32_t* mask_of(const sfi_call* call, size_t count, size_t number)
{
    const size_t words = (count + 31) / 32, all = (size_t)call->op->attribute_count - 1;
    return all == 0 ? NULL
                    : call->pass->program->constants + call->op->attributes_first + 1 + number % (all / words) * words;
}

SFI_INLINE int is_read(const int32_t* mask, size_t j) { return (int)((uint32_t)mask[j / 32] >> (j % 32) & 1u); }

/* Hosts know the power of every distance. */
SFI_INLINE uint32_t power_at(const sfi_power_table* known, const int32_t* pair, int32_t distance)
{
    return known != NULL ? known->power[distance] : power_of(pair, (uint32_t)distance);
}

/* A row of which a mask says what is read. */
static void masked_row(const sfi_call* call, const sfi_power_table* known, const int32_t* mask, const int8_t* x,
                       size_t count, size_t at)
{
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, 0);
    int32_t top = -128;
    for (size_t j = 0; j < count; j++)
        top = is_read(mask, j) && x[j] > top ? x[j] : top;
    uint64_t sum = 0;
    for (size_t j = 0; j < count; j++)
        if (is_read(mask, j))
            sum += power_at(known, pair, top - x[j]);
    const sfi_divisor d = divisor_of(call, sum);
    for (size_t j = 0; j < count; j++)
        sfi_store(call->y, call->out->dtype, at + j,
                  quotient(&d, is_read(mask, j) ? power_at(known, pair, top - x[j]) : 0));
}

/* A row that reads everything. */
#if __STDC_HOSTED__
#define TOGETHER 1024u

static void row(const sfi_call* call, const sfi_power_table* known, const int8_t* x, size_t count, size_t at)
{
    const sfi_kernels* kernels = call->pass->kernels;
    const size_t bytes = call->out->dtype == SF_S16 ? sizeof(int16_t) : 1;
    const int32_t top = largest(x, count);
    uint32_t power[TOGETHER];
    uint64_t sum = 0;
    for (size_t first = 0; first < count; first += TOGETHER)
        sum += kernels->powers(known, x + first, sfi_min_u32(TOGETHER, (uint32_t)(count - first)), top, power);
    const sfi_divisor d = divisor_of(call, sum);
    for (size_t first = 0; first < count; first += TOGETHER) {
        const uint32_t some = sfi_min_u32(TOGETHER, (uint32_t)(count - first));
        if (count > TOGETHER)
            kernels->powers(known, x + first, some, top, power);
        kernels->quotients(&d, power, some, (int8_t*)call->y + (at + first) * bytes);
    }
}

static void know(const int32_t* pair, sfi_power_table* known)
{
    for (uint32_t i = 0; i < SFI_DISTANCES; i++) {
        known->power[i] = power_of(pair, i);
        for (uint32_t k = 0; k < sizeof(uint32_t); k++)
            known->byte[k][i] = (uint8_t)(known->power[i] >> (8 * k));
    }
}
#else
static void row(const sfi_call* call, const sfi_power_table* known, const int8_t* x, size_t count, size_t at)
{
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, 0);
    const int32_t top = largest(x, count);
    uint64_t sum = 0;
    (void)known;
    for (size_t j = 0; j < count; j++)
        sum += power_of(pair, (uint32_t)(top - x[j]));
    const sfi_divisor d = divisor_of(call, sum);
    for (size_t j = 0; j < count; j++)
        sfi_store(call->y, call->out->dtype, at + j, quotient(&d, power_of(pair, (uint32_t)(top - x[j]))));
}
#endif

/* Hosts look powers up; a device's stack is short, and few of its rows are longer than the table. */
static void run(const sfi_call* call)
{
    const size_t count = (size_t)call->in->dims[call->in->rank - 1];
    const int8_t* x = (const int8_t*)call->x;
    const sfi_power_table* known = NULL;
#if __STDC_HOSTED__
    sfi_power_table table;
    know(sfi_rescale_pair(call->pass->program, call->op, 0), &table);
    known = &table;
#endif
    for (size_t at = 0; at < (size_t)call->n * (size_t)call->in->elements; at += count) {
        const int32_t* mask = mask_of(call, count, at / count);
        if (mask == NULL)
            row(call, known, x + at, count, at);
        else
            masked_row(call, known, mask, x + at, count, at);
    }
}

/* Whole rows, as many as fit into a sample once or more often; each reads something, and nothing past its end. */
static int mask_fits(const sf_program* p, const sf_op* op)
{
    const sf_tensor* in = sfi_input(p, op, 0);
    const int32_t columns = in->dims[in->rank - 1], words = (columns + 31) / 32, all = op->attribute_count - 1;
    if (all == 0)
        return 1;
    if (all % words != 0 || in->elements / columns % (all / words) != 0)
        return 0;
    for (int32_t at = 0; at < all; at += words) {
        uint32_t any = 0;
        for (int32_t i = 0; i < words; i++)
            any |= (uint32_t)sfi_attribute(p, op, 1 + at + i);
        const uint32_t last = (uint32_t)sfi_attribute(p, op, at + words);
        if (any == 0 || (columns % 32 != 0 && last >> (columns % 32) != 0))
            return 0;
    }
    return 1;
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    const sf_tensor* in = sfi_input(p, op, 0);
    return sfi_checked(op->attribute_count >= 1 && sfi_is_bare(op, 1, op->attribute_count) &&
                           sfi_same_shape(in, sfi_output(p, op)) && op->rescale_count == 1 &&
                           sfi_within(sfi_attribute(p, op, 0), 0, 15) && mask_fits(p, op),
                       sfi_reads_bytes(p, op) && in->dims[in->rank - 1] <= MOST_COLUMNS);
}

const sfi_operator sfi_softmax = {check, NULL, run, NULL, 0};
