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

/* Elements moved together: on hosts enough that what the generator prepares does not show. */
#if __STDC_HOSTED__
#define PIECE (8u * SF_CHUNK)
#else
#define PIECE SF_CHUNK
#endif

/* A piece of one trainable tensor on its way through the update. */
typedef struct piece {
    int32_t g[PIECE];
    uint16_t u[PIECE];
    int32_t move[PIECE];
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

/* u of the contract: |g * mult * rate| < 2^22 * 2^16 * 2^15 = 2^53, and a rounding term of at most 2^61 beside it. */
SF_INLINE int64_t wide_move(int32_t g, uint32_t u, const sf_scaler* s, uint32_t rate, uint32_t rounding)
{
    const int64_t factor = (int64_t)s->update_mult * (int64_t)rate;
    const uint32_t shift = s->update_shift + 15;
    int64_t round = 0;
    if (rounding == SF_NEAREST)
        round = (int64_t)1 << (shift - 1);
    else if (rounding == SF_STOCHASTIC)
        round = shift >= 16 ? (int64_t)u << (shift - 16) : (int64_t)(u >> (16 - shift));
    return (g * factor + round) >> shift;
}

#if __STDC_HOSTED__
/* The same in 32 bits, where |g| <= 32767 and update_shift >= 2. With factor = high * 2^16 + low, p >> 16 is
 * g*high + (g*low >> 16), since a floor of a floor is a floor; high < 2^15 and low < 2^16, so that no product leaves 32 bits. */
SF_CLONES
static void narrow_moves(piece* p, uint32_t at, uint32_t count, const sf_scaler* s, uint32_t rate, uint32_t rounding)
{
    const uint32_t factor = s->update_mult * rate, shift = s->update_shift - 1; /* of p >> 16 */
    const int32_t high = (int32_t)(factor >> 16), low = (int32_t)(factor & 0xffffu);
    const int32_t* g = p->g + at;
    const uint16_t* u = p->u + at;
    int32_t* move = p->move + at;
    if (rounding != SF_STOCHASTIC) {
        /* |p| < 2^46: from shift 31 up, and so with 31, the nearest is 0 and the floor the sign */
        const uint32_t less = sf_min_u32(shift, 31);
        const int32_t half = rounding == SF_NEAREST ? (int32_t)1 << (less - 1) : 0;
        for (uint32_t i = 0; i < count; i++)
            move[i] = (g[i] * high + ((g[i] * low) >> 16) + half) >> less;
    } else if (shift >= 16) {
        for (uint32_t i = 0; i < count; i++)
            move[i] = (((g[i] * high + ((g[i] * low) >> 16)) >> (shift - 16)) + u[i]) >> 16;
    } else {
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t rest = ((uint32_t)(g[i] * low) & 0xffffu) + ((uint32_t)u[i] << shift);
            move[i] = (g[i] * high + ((g[i] * low) >> 16) + (int32_t)(rest >> 16)) >> shift;
        }
    }
}
#endif

/* Moves of weights with at most 16 bits. What leaves 2^30 takes any of them to its limit. */
static void scale_moves(piece* p, uint32_t at, uint32_t count, const sf_scaler* s, uint32_t rate, uint32_t rounding, int narrow)
{
#if __STDC_HOSTED__
    if (narrow && s->update_shift >= 2 && count >= 8) {
        narrow_moves(p, at, count, s, rate, rounding);
        return;
    }
#endif
    (void)narrow;
    for (uint32_t i = at; i < at + count; i++) {
        const int64_t move = wide_move(p->g[i], p->u[i], s, rate, rounding), most = (int64_t)1 << 30;
        p->move[i] = (int32_t)(move < -most ? -most : move > most ? most : move);
    }
}

SF_CLONES
static void apply_s16(int16_t* w, const int32_t* move, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        w[i] = (int16_t)sf_clamp(w[i] - move[i], -32767, 32767);
}

SF_CLONES
static void apply_s8(int8_t* w, const int32_t* move, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        w[i] = (int8_t)sf_clamp(w[i] - move[i], -127, 127);
}

static void apply_s4(uint8_t* data, uint32_t first, const int32_t* move, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t e = first + i, at = 4u * (e & 1u);
        const uint32_t nibble = ((uint32_t)data[e >> 1] >> at) & 15u;
        const uint32_t v = (uint32_t)sf_clamp((int32_t)(nibble ^ 8u) - 8 - move[i], -7, 7) & 15u;
        data[e >> 1] = (uint8_t)((data[e >> 1] & ~(15u << at)) | (v << at));
    }
}

/* A bias has 32 bits, and so may its move. */
static void move_bias(const piece* p, uint32_t at, uint32_t count, const sf_scaler* s, uint32_t rate, uint32_t rounding,
                      int32_t* w)
{
    for (uint32_t i = at; i < at + count; i++) {
        const int64_t v = w[i] - wide_move(p->g[i], p->u[i], s, rate, rounding);
        w[i] = v < -INT32_MAX ? -INT32_MAX : v > INT32_MAX ? INT32_MAX : (int32_t)v;
    }
}

/* Whether |g| <= 32767 whatever z is. */
static int stays_narrow(const sf_plan* plan, const int8_t* votes)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < plan->directions; i++)
        sum += votes[i] < 0 ? -votes[i] : votes[i];
    return plan->beta > 0 || sum * 127 <= 32767;
}

/* g, or v, of a piece; and the uniform numbers of stochastic rounding. */
static void gather(const sf_plan* plan, const sf_trainable* entry, int16_t* momentum, uint32_t step, const int8_t* votes,
                   uint32_t first, uint32_t count, piece* p)
{
    int8_t z[PIECE];
    sf_fill(p->g, 0, count * sizeof *p->g);
    for (uint32_t i = 0; i < plan->directions; i++)
        if (votes[i] != 0) {
            sf_directions(plan->distribution, plan->seed, step, i, entry->tensor, first, count, z);
            accumulate(p->g, z, votes[i], count);
        }
    if (plan->beta > 0)
        momentum_step(plan, momentum + entry->momentum_first + first, p->g, count);
    if (plan->rounding == SF_STOCHASTIC)
        sf_halfwords(plan->seed, step, STOCHASTIC_STREAM, entry->tensor, first, count, p->u);
}

void sf_update_elements(const sf_program* program, const sf_plan* plan, const sf_trainable* entry, void* weights,
                        int16_t* momentum, uint32_t step, const int8_t* votes, uint32_t first, uint32_t count)
{
    const sf_tensor* t = program->tensors + entry->tensor;
    uint8_t* data = (uint8_t*)weights + t->offset;
    const uint32_t rate = sf_rate(plan, step), end = first + count;
    const int narrow = stays_narrow(plan, votes);
    piece p;
    for (; first < end; first += count) {
        count = sf_min_u32(PIECE, end - first);
        gather(plan, entry, momentum, step, votes, first, count, &p);
        for (uint32_t at = 0, run; at < count; at += run) {
            const sf_scaler* s = sf_scaler_at(plan, entry, t, first + at, count - at, &run);
            if (t->dtype == SF_S32)
                move_bias(&p, at, run, s, rate, plan->rounding, (int32_t*)(void*)data + first);
            else
                scale_moves(&p, at, run, s, rate, plan->rounding, narrow);
        }
        if (t->dtype == SF_S16)
            apply_s16((int16_t*)(void*)data + first, p.move, count);
        else if (t->dtype == SF_S8)
            apply_s8((int8_t*)data + first, p.move, count);
        else if (t->dtype == SF_S4)
            apply_s4(data, first, p.move, count);
    }
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
        sf_update_elements(program, plan, entry, weights, momentum, step, votes, 0, elements);
    }
    return SF_OK;
}
