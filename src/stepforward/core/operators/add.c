/* Addition of two tensors, s8 or s16: both rescaled, rounded once. */
#include "base/machine.h"
#include "base/pass.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "multiply/choose.h"
#include "multiply/sum.h"
#include "operators/check.h"
#include "operators/join.h"
#include "operators/near.h"
#include "operators/operator.h"
#include "stepforward.h"

/* |A*mult_a + B*mult_b| <= 2 * 255 * 65535 < 2^25: from shift 26 up the rounded result is 0, as it is with 26. What the
 * zero points contribute and the rounding term are the same for all elements; up to shift 23, so is 2^shift times the
 * output's zero point: 2^25 + 2^22 + 128 * 2^23 < 2^31. */
enum { LARGEST_SHIFT = 26, ZERO_SHIFT = 23 };
#define FINER (1 << 20)

SFI_CLONES
static void add_any(const sfi_sum* s, const int8_t* a, const int8_t* b, size_t count, int32_t zero, int32_t dtype,
                    void* y)
{
    const sfi_sum local = *s;
    for (size_t i = 0; i < count; i++)
        sfi_store(y, dtype, i, sfi_sum_of(&local, a[i], b[i], zero));
}

#if __STDC_HOSTED__
/* Two roundings each: pairs, with shifts beyond 31. */
typedef struct twice {
    const sfi_call* call;
    int32_t p[6];
} twice;

/* Each part is rounded twice, to within 1, which is scale in steps of the output, and their sum once before its last
 * shift; finer multipliers are within a half, of values below 2^8. */
static sfi_near near_twice(const twice* how)
{
    const sfi_call* call = how->call;
    const int32_t* p = how->p;
    sfi_near s = {0, 0, 0, 0, 0, call->op->lo, call->op->hi};
    const int32_t zero_a = call->in->zero_point, zero_b = sfi_input(call->pass->program, call->op, 1)->zero_point;
    const int64_t a = (int64_t)p[0] * p[4], b = (int64_t)p[2] * p[4];
    for (int32_t bits = SFI_MOST_BITS; bits >= SFI_LEAST_BITS; bits--) {
        const int64_t of_a = sfi_finer(a, 42 + p[1] + p[5] - bits), of_b = sfi_finer(b, 42 + p[3] + p[5] - bits);
        const int64_t scale = sfi_finer(p[4], 31 + p[5] - bits), last = (int64_t)1 << bits >> p[5];
        const int64_t doubt = 256 + 2 * (scale + 1) + last + 1;
        if (256 * (of_a + of_b) + ((int64_t)130 << bits) + doubt > INT32_MAX)
            continue;
        s.of_a = (int32_t)of_a;
        s.of_b = (int32_t)of_b;
        s.doubt = (int32_t)doubt;
        s.rest = (1 << bits >> 1) + call->out->zero_point * (1 << bits) - zero_a * s.of_a - zero_b * s.of_b;
        s.bits = sfi_near_pays(doubt, bits) ? bits : 0;
        break;
    }
    return s;
}

/* Rounded twice, both inputs 2^20 times finer, and their sum. */
SFI_CLONES
static void follow_twice(const void* how, const int8_t* a, const int8_t* b, size_t count, int8_t* y)
{
    const twice t = *(const twice*)how;
    const int32_t* p = t.p;
    const int32_t zero_a = t.call->in->zero_point, zero_b = sfi_input(t.call->pass->program, t.call->op, 1)->zero_point;
    const int32_t zero = t.call->out->zero_point, lo = t.call->op->lo - zero, hi = t.call->op->hi - zero;
    for (size_t i = 0; i < count; i++) {
        const int32_t sum =
            sfi_twice_lane((a[i] - zero_a) * FINER, p[0], p[1]) + sfi_twice_lane((b[i] - zero_b) * FINER, p[2], p[3]);
        y[i] = (int8_t)(sfi_clamp(sfi_twice_lane(sum, p[4], p[5]), lo, hi) + zero);
    }
}

static void add_twice(const sfi_call* call, const int8_t* a, const int8_t* b, size_t count)
{
    const int32_t* pairs = sfi_rescale_pair(call->pass->program, call->op, 0);
    const twice t = {call, {pairs[0], pairs[1] - 31, pairs[2], pairs[3] - 31, pairs[4], pairs[5] - 31}};
    const sfi_near near = count > SFI_RUN ? near_twice(&t) : sfi_always;
    sfi_near_sums(&near, follow_twice, &t, a, b, count, (int8_t*)call->y);
}
#endif

/* Zero points inside: in units of 2^-shift every number is an integer below 2^(8 + 24 + 24 + 2), before it is rounded
 * to 24 bits. */
enum { FARTHEST = 24 };
typedef struct inside {
    int64_t mult_a, mult_b, rest;
    int32_t shift, base, lo, hi;
} inside;

static inside inside_of(const sfi_call* call)
{
    const sf_op* op = call->op;
    const int32_t *pairs = sfi_rescale_pair(call->pass->program, op, 0), base = sfi_base(sfi_rounding(op));
    const int32_t zero_a = call->in->zero_point + base,
                  zero_b = sfi_input(call->pass->program, op, 1)->zero_point + base;
    inside s = {0, 0, 0, pairs[1] > pairs[3] ? pairs[1] : pairs[3], base, op->lo, op->hi};
    s.mult_a = (int64_t)pairs[0] * ((int64_t)1 << (s.shift - pairs[1]));
    s.mult_b = (int64_t)pairs[2] * ((int64_t)1 << (s.shift - pairs[3]));
    s.rest = sfi_to_float32((int64_t)(call->out->zero_point + base) * ((int64_t)1 << s.shift) -
                            sfi_to_float32(zero_a * s.mult_a + sfi_to_float32(zero_b * s.mult_b)));
    return s;
}

#if __STDC_HOSTED__
/* Where a product and the rest have at most 52 bits, doubles hold them exactly, and a conversion rounds them to 24. The
 * last sum rounds to an integer: 1.5 * 2^23 leaves no bits after the point. */
enum { NEAREST = 18 };
#define WHOLE 12582912.0f

SFI_CLONES
static void follow_inside(const void* how, const int8_t* a, const int8_t* b, size_t count, int8_t* y)
{
    const inside s = *(const inside*)how;
    const double unit = 1.0 / (double)((int64_t)1 << s.shift);
    const double of_a = (double)s.mult_a * unit, of_b = (double)s.mult_b * unit, rest = (double)s.rest * unit;
    const float low = (float)(s.lo + s.base), high = (float)(s.hi + s.base);
    for (size_t i = 0; i < count; i++) {
        const float first = (float)((double)(b[i] + s.base) * of_b + rest);
        float sum = (float)((double)(a[i] + s.base) * of_a + (double)first);
        sum = sum < low ? low : sum;
        sum = sum > high ? high : sum;
        y[i] = (int8_t)((int32_t)((sum + WHOLE) - WHOLE) - s.base);
    }
}

/* Each of two sums is rounded to 24 bits of at most `most`. */
static sfi_near near_inside(const inside* s)
{
    sfi_near n = {0, 0, 0, 0, 0, s->lo, s->hi};
    for (int32_t bits = SFI_MOST_BITS; bits >= SFI_LEAST_BITS; bits--) {
        const int32_t shift = s->shift - bits;
        if (shift < 0)
            continue;
        const int64_t of_a = sfi_finer(s->mult_a, shift), of_b = sfi_finer(s->mult_b, shift), of_both = of_a + of_b;
        const int64_t rest = s->rest < 0 ? -sfi_finer(-s->rest, shift) : sfi_finer(s->rest, shift);
        const int64_t most = 256 * of_both + (rest < 0 ? -rest : rest), doubt = 257 + 2 * ((most >> 24) + 1);
        if (most + 128 * of_both + ((int64_t)130 << bits) + doubt > INT32_MAX)
            continue;
        n.of_a = (int32_t)of_a;
        n.of_b = (int32_t)of_b;
        n.doubt = (int32_t)doubt;
        n.rest = (int32_t)(rest + s->base * of_both - ((int64_t)s->base << bits) + (1 << bits >> 1));
        n.bits = sfi_near_pays(doubt, bits) ? bits : 0;
        break;
    }
    return n;
}
#endif

static void add_inside(const sfi_call* call, const int8_t* a, const int8_t* b, size_t count)
{
    const inside s = inside_of(call);
#if __STDC_HOSTED__
    const int32_t* pairs = sfi_rescale_pair(call->pass->program, call->op, 0);
    if (call->out->dtype == SF_S8 && s.shift - pairs[1] <= NEAREST && s.shift - pairs[3] <= NEAREST) {
        const sfi_near near = count > SFI_RUN ? near_inside(&s) : sfi_always;
        sfi_near_sums(&near, follow_inside, &s, a, b, count, (int8_t*)call->y);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) {
        const int64_t first = sfi_to_float32((b[i] + s.base) * s.mult_b + s.rest);
        const int64_t sum = sfi_to_float32((a[i] + s.base) * s.mult_a + first);
        sfi_store(call->y, call->out->dtype, i, sfi_put(sfi_even(sum, s.shift), -s.base, s.lo, s.hi));
    }
}

/* By another rounding. */
static void add_rounded(const sfi_call* call, const int8_t* a, const int8_t* b, size_t count)
{
    const sf_op* op = call->op;
    const int32_t *pairs = sfi_rescale_pair(call->pass->program, op, 0), rounding = sfi_rounding(op);
    const int32_t zero_a = call->in->zero_point, zero_b = sfi_input(call->pass->program, op, 1)->zero_point;
#if __STDC_HOSTED__
    if (rounding == SFI_TWICE && call->out->dtype == SF_S8 && pairs[1] >= 31 && pairs[3] >= 31 && pairs[5] >= 31) {
        add_twice(call, a, b, count);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) {
        const int64_t sum = sfi_rounded((a[i] - zero_a) * FINER, pairs, rounding) +
                            sfi_rounded((b[i] - zero_b) * FINER, pairs + 2, rounding);
        sfi_store(call->y, call->out->dtype, i,
                  sfi_put(sfi_rounded(sum, pairs + 4, rounding), call->out->zero_point, op->lo, op->hi));
    }
}

static void add(const sfi_call* call, const int8_t* x, const int8_t* z, size_t count)
{
    const sf_tensor *a = call->in, *b = sfi_input(call->pass->program, call->op, 1);
    const int32_t* pairs = sfi_rescale_pair(call->pass->program, call->op, 0);
    const int32_t shift = pairs[1] > LARGEST_SHIFT ? LARGEST_SHIFT : pairs[1], half = shift > 0 ? 1 << (shift - 1) : 0;
    sfi_sum s = {pairs[0], pairs[2],     half - a->zero_point * pairs[0] - b->zero_point * pairs[2],
                 shift,    call->op->lo, call->op->hi};
#if __STDC_HOSTED__
    if (call->out->dtype == SF_S8 && shift <= ZERO_SHIFT) {
        s.rest += call->out->zero_point * (1 << shift);
        call->pass->kernels->add(&s, x, z, count, (int8_t*)call->y);
        return;
    }
#endif
    add_any(&s, x, z, count, call->out->zero_point, call->out->dtype, call->y);
}

#if __STDC_HOSTED__
/* Where one input is s16, or both, in lanes of 32 bits: multipliers in two parts, mult = high*2^first + low. What the
 * lower products, with theirs of the rounding term, leave below 2^first would not outlast the rest of the shift. Upper
 * sums stay below 4 * 2^15 * 2^(16 - first) + 2^30. */
enum { MOST_FIRST = 8, LEAST_SHIFT = 4, MOST_SHIFT = 38, CHUNK = 256 };
typedef struct parts {
    int32_t high_a, high_b, high_rest, low_a, low_b, low_rest, first, rest;
} parts;

static parts parts_of(const int32_t* pairs, int32_t zero_a, int32_t zero_b)
{
    const int32_t shift = pairs[1], first = shift < MOST_FIRST ? shift : MOST_FIRST, below = (1 << first) - 1;
    const int64_t half = (int64_t)1 << (shift - 1);
    parts p = {pairs[0] >> first, pairs[2] >> first, 0, pairs[0] & below, pairs[2] & below, 0, first, shift - first};
    p.high_rest = (int32_t)(half >> first) - zero_a * p.high_a - zero_b * p.high_b;
    p.low_rest = (int32_t)(half & below) - zero_a * p.low_a - zero_b * p.low_b;
    return p;
}

SFI_INLINE void load_chunk(const void* x, int32_t dtype, size_t at, size_t count, int16_t* to)
{
    if (dtype == SF_S16)
        sfi_copy(to, (const int16_t*)x + at, count * sizeof *to);
    else
        for (size_t i = 0; i < count; i++)
            to[i] = ((const int8_t*)x)[at + i];
}

SFI_CLONES
static void add_chunk(const sfi_call* call, const parts* parts_, size_t at, size_t count)
{
    const parts p = *parts_;
    const int32_t zero = call->out->zero_point, lo = call->op->lo, hi = call->op->hi;
    int16_t a[CHUNK], b[CHUNK];
    load_chunk(call->x, call->in->dtype, at, count, a);
    load_chunk(call->inputs[1], sfi_input(call->pass->program, call->op, 1)->dtype, at, count, b);
#define SFI_SUM(i) \
    sfi_clamp(((a[i] * p.high_a + b[i] * p.high_b + p.high_rest + \
                ((a[i] * p.low_a + b[i] * p.low_b + p.low_rest) >> p.first)) >> \
               p.rest) + \
                  zero, \
              lo, hi)
    if (call->out->dtype == SF_S16) {
        int16_t* y = (int16_t*)call->y + at;
        for (size_t i = 0; i < count; i++)
            y[i] = (int16_t)SFI_SUM(i);
    } else {
        int8_t* y = (int8_t*)call->y + at;
        for (size_t i = 0; i < count; i++)
            y[i] = (int8_t)SFI_SUM(i);
    }
#undef SFI_SUM
}
#endif

/* Where one input is s16, or both: |A*mult_a + B*mult_b| < 2 * 2^16 * 2^16. */
static void add_wide(const sfi_call* call)
{
    const sf_tensor *a = call->in, *b = sfi_input(call->pass->program, call->op, 1);
    const int32_t* pairs = sfi_rescale_pair(call->pass->program, call->op, 0);
    const int64_t half = pairs[1] > 0 ? (int64_t)1 << (pairs[1] - 1) : 0;
    const size_t count = (size_t)call->n * (size_t)call->out->elements;
#if __STDC_HOSTED__
    if (sfi_within(pairs[1], LEAST_SHIFT, MOST_SHIFT)) {
        const parts p = parts_of(pairs, a->zero_point, b->zero_point);
        for (size_t at = 0; at < count; at += CHUNK)
            add_chunk(call, &p, at, count - at < CHUNK ? count - at : CHUNK);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) {
        const int64_t sum = (int64_t)(sfi_load(call->x, a->dtype, i) - a->zero_point) * pairs[0] +
                            (int64_t)(sfi_load(call->inputs[1], b->dtype, i) - b->zero_point) * pairs[2];
        sfi_store(call->y, call->out->dtype, i,
                  sfi_put((sum + half) >> pairs[1], call->out->zero_point, call->op->lo, call->op->hi));
    }
}

static void run(const sfi_call* call)
{
    if (!sfi_reads_bytes(call->pass->program, call->op))
        add_wide(call);
    else
        sfi_join(call, sfi_rounding(call->op) == SFI_CONTRACT  ? add
                       : sfi_is_inside(sfi_rounding(call->op)) ? add_inside
                                                               : add_rounded);
}

static int fits(const sf_program* p, const sf_op* op)
{
    if (!sfi_joins(p, op))
        return 0;
    if (sfi_is_inside(sfi_rounding(op))) {
        const int32_t apart =
            op->rescale_count == 2 ? sfi_rescale_pair(p, op, 0)[1] - sfi_rescale_pair(p, op, 1)[1] : FARTHEST + 1;
        return apart <= FARTHEST && apart >= -FARTHEST;
    }
    if (sfi_rounding(op) != SFI_CONTRACT)
        return op->rescale_count == 3;
    return op->rescale_count == 2 && sfi_rescale_pair(p, op, 0)[1] == sfi_rescale_pair(p, op, 1)[1];
}

static sf_status check(const sf_program* p, const sf_op* op)
{
    return sfi_checked(sfi_is_bare(op, 2, 0) && fits(p, op),
                       sfi_reads_bytes(p, op) || (sfi_rounding(op) == SFI_CONTRACT &&
                                                  sfi_same_shape(sfi_input(p, op, 0), sfi_output(p, op)) &&
                                                  sfi_same_shape(sfi_input(p, op, 1), sfi_output(p, op))));
}

const sfi_operator sfi_add = {check, NULL, run, NULL, 1};
