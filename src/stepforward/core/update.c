/* Moving the weights: sign-m-SPSA with SGD (contract, section 8). */
#include "internal.h"

#define STOCHASTIC_STREAM 0xFFFFFFFFu

uint32_t sf_rate(const sf_plan* plan, uint32_t step)
{
    uint64_t rate = 32768, t = sf_min_u32(step, plan->steps);
    if (plan->schedule == SF_LINEAR) {
        rate = 32768 * (plan->steps - t) / plan->steps;
    } else if (plan->schedule == SF_COSINE) {
        const uint32_t position = (uint32_t)(t * 65536 / plan->steps), i = position >> 8, r = position & 255u;
        const int32_t here = sf_table_cos[i], next = sf_table_cos[i < 256 ? i + 1 : i];
        rate = (uint64_t)(here + (((next - here) * (int32_t)r) >> 8));
    }
    return (uint32_t)(step < plan->warmup ? rate * ((uint64_t)step + 1) / plan->warmup : rate);
}

/* A piece of one trainable tensor on its way through the update. */
typedef struct piece {
    int32_t g[SF_CHUNK];
    uint16_t u[SF_CHUNK];
    int64_t move[SF_CHUNK];
} piece;

SF_CLONES
static void accumulate(int32_t* g, const int8_t* z, int32_t vote, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        g[i] += vote * z[i];
}

/* v = clamp(((v*beta + 2^14) >> 15) + (g << F)); g becomes v. */
SF_CLONES
static void momentum_step(const sf_plan* plan, int16_t* v, int32_t* g, uint32_t count)
{
    const int32_t beta = (int32_t)plan->beta, scale = (int32_t)1 << plan->fraction_bits;
    for (uint32_t i = 0; i < count; i++) {
        g[i] = sf_clamp(((v[i] * beta + (1 << 14)) >> 15) + g[i] * scale, -32767, 32767);
        v[i] = (int16_t)g[i];
    }
}

/* |g * mult * rate| < 2^22 * 2^16 * 2^15 = 2^53, and a rounding term of at most 2^61 beside it. */
SF_CLONES
static void scale_moves(piece* p, uint32_t at, uint32_t count, const sf_scaler* s, uint32_t rate, uint32_t rounding)
{
    const int64_t factor = (int64_t)s->update_mult * (int64_t)rate;
    const uint32_t shift = s->update_shift + 15;
    const int64_t half = rounding == SF_NEAREST ? (int64_t)1 << (shift - 1) : 0;
    const uint32_t up = shift >= 16 ? shift - 16 : 0, down = shift >= 16 ? 0 : 16 - shift;
    if (rounding == SF_STOCHASTIC)
        for (uint32_t i = at; i < at + count; i++)
            p->move[i] = (p->g[i] * factor + (((int64_t)p->u[i] << up) >> down)) >> shift;
    else
        for (uint32_t i = at; i < at + count; i++)
            p->move[i] = (p->g[i] * factor + half) >> shift;
}

static int64_t clamped(int64_t v, int64_t q_max) { return v < -q_max ? -q_max : v > q_max ? q_max : v; }

static void apply(const sf_tensor* t, uint8_t* data, uint32_t first, uint32_t count, const int64_t* move)
{
    if (t->dtype == SF_S16) {
        int16_t* w = (int16_t*)(void*)data + first;
        for (uint32_t i = 0; i < count; i++)
            w[i] = (int16_t)clamped(w[i] - move[i], 32767);
    } else if (t->dtype == SF_S8) {
        int8_t* w = (int8_t*)data + first;
        for (uint32_t i = 0; i < count; i++)
            w[i] = (int8_t)clamped(w[i] - move[i], 127);
    } else if (t->dtype == SF_S32) {
        int32_t* w = (int32_t*)(void*)data + first;
        for (uint32_t i = 0; i < count; i++)
            w[i] = (int32_t)clamped(w[i] - move[i], INT32_MAX);
    } else {
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t e = first + i, at = 4u * (e & 1u);
            const uint32_t nibble = ((uint32_t)data[e >> 1] >> at) & 15u;
            const uint32_t v = (uint32_t)clamped((int64_t)(nibble ^ 8u) - 8 - move[i], 7) & 15u;
            data[e >> 1] = (uint8_t)((data[e >> 1] & ~(15u << at)) | (v << at));
        }
    }
}

static void update_piece(const sf_program* program, const sf_plan* plan, const sf_trainable* entry, uint8_t* weights,
                         int16_t* momentum, uint32_t step, const int8_t* votes, uint32_t first, uint32_t count)
{
    const sf_tensor* t = program->tensors + entry->tensor;
    const uint32_t rate = sf_rate(plan, step);
    int8_t z[SF_CHUNK];
    piece p;
    sf_fill(p.g, 0, sizeof p.g);
    for (uint32_t i = 0; i < plan->directions; i++)
        if (votes[i] != 0) {
            sf_directions(plan->distribution, plan->seed, step, i, entry->tensor, first, count, z);
            accumulate(p.g, z, votes[i], count);
        }
    if (plan->beta > 0)
        momentum_step(plan, momentum + entry->momentum_first + first, p.g, count);
    if (plan->rounding == SF_STOCHASTIC)
        sf_halfwords(plan->seed, step, STOCHASTIC_STREAM, entry->tensor, first, count, p.u);
    for (uint32_t at = 0, run; at < count; at += run) {
        const sf_scaler* s = sf_scaler_at(plan, entry, t, first + at, count - at, &run);
        scale_moves(&p, at, run, s, rate, plan->rounding);
    }
    apply(t, weights + t->offset, first, count, p.move);
}

sf_status sf_update(const sf_program* program, const sf_plan* plan, void* weights, int16_t* momentum, uint32_t step,
                    const int8_t* votes)
{
    if (program == NULL || plan == NULL || weights == NULL || votes == NULL || step >= plan->steps ||
        (momentum == NULL && plan->momentum_elements > 0))
        return SF_BAD_ARGUMENT;
    if (((uintptr_t)weights & 3u) != 0 || ((uintptr_t)momentum & 1u) != 0)
        return SF_MISALIGNED;
    for (uint32_t i = 0; i < plan->trainable_count; i++) {
        const sf_trainable* entry = plan->trainables + i;
        const uint32_t elements = (uint32_t)program->tensors[entry->tensor].elements;
        for (uint32_t e = 0; e < elements; e += SF_CHUNK)
            update_piece(program, plan, entry, (uint8_t*)weights, momentum, step, votes, e, sf_min_u32(SF_CHUNK, elements - e));
    }
    return SF_OK;
}
