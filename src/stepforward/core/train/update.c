/* Moving the weights: sign-m-SPSA with SGD (contract, section 8). */
#include "base/fractions.h"
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/tables.h"
#include "base/weights.h"
#include "multiply/choose.h"
#include "multiply/stage.h"
#include "random/draw.h"
#include "random/planned.h"
#include "stepforward.h"
#include "train/tail.h"
#include "train/update.h"
#include "train/votes.h"

#define STOCHASTIC_STREAM 0xFFFFFFFFu

uint32_t sf_rate(const sf_plan* plan, uint32_t step)
{
    const uint32_t since = step < plan->first_step ? 0 : step - plan->first_step;
    const uint32_t length = plan->steps - plan->first_step;
    uint64_t rate = 32768, t = sfi_min_u32(since, length);
    if (plan->schedule == SF_LINEAR) {
        rate = 32768 * (length - t) / length;
    } else if (plan->schedule == SF_COSINE) {
        const uint32_t position = (uint32_t)(t * 65536 / length), i = position >> 8, r = position & 255u;
        const int32_t here = sfi_table_cos[i], next = sfi_table_cos[i < 256 ? i + 1 : i];
        rate = (uint64_t)(here + (((next - here) * (int32_t)r) >> 8));
    }
    return (uint32_t)(since < plan->warmup ? rate * ((uint64_t)since + 1) / plan->warmup : rate);
}

/* Elements moved together: on hosts enough that what a piece costs besides its elements does not show. */
#if __STDC_HOSTED__
#define PIECE (8u * SFI_CHUNK)
#else
#define PIECE SFI_CHUNK
#endif

/* A piece of one trainable tensor on its way through the update. */
typedef struct piece {
    int32_t g[PIECE];
    uint16_t u[PIECE];
    int64_t move[PIECE];
} piece;

SFI_CLONES
static void accumulate(int32_t* g, const int8_t* z, int32_t vote, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        g[i] += vote * z[i];
}

/* v = clamp(((v*beta + 2^14) >> 15) + (g << F)); g becomes v. */
SFI_CLONES
static void momentum_step(const sf_plan* plan, int16_t* v, int32_t* g, uint32_t count)
{
    const int32_t beta = (int32_t)plan->beta, scale = (int32_t)1 << plan->fraction_bits;
    for (uint32_t i = 0; i < count; i++) {
        g[i] = sfi_clamp(((v[i] * beta + (1 << 14)) >> 15) + g[i] * scale, -32767, 32767);
        v[i] = (int16_t)g[i];
    }
}

static uint32_t root(uint32_t v)
{
    uint32_t found = 0;
    for (uint32_t bit = (uint32_t)1 << 30; bit > 0; bit >>= 2) {
        const uint32_t tried = found + bit;
        found >>= 1;
        if (v >= tried) {
            v -= tried;
            found += bit;
        }
    }
    return found;
}

/* Mean squares of g << F take in one more, at first as the mean of all so far; below 2^30. */
static void square_step(const sf_plan* plan, uint32_t step, uint32_t* squares, const int32_t* g, uint32_t count)
{
    uint32_t shift = 0;
    while (shift < plan->decay && ((uint64_t)step + 1) >> (shift + 1) != 0)
        shift++;
    const int32_t half = shift > 0 ? (int32_t)1 << (shift - 1) : 0, scale = (int32_t)1 << plan->fraction_bits;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t scaled = sfi_clamp(g[i] * scale, -32767, 32767);
        squares[i] = (uint32_t)((int32_t)squares[i] + ((scaled * scaled - (int32_t)squares[i] + half) >> shift));
    }
}

/* g, or without momentum g << F, in 1/256 of the deviation of its element. */
static void divide(const sf_plan* plan, const uint32_t* squares, int32_t* g, uint32_t count)
{
    const int32_t scale = plan->beta > 0 ? 1 : (int32_t)1 << plan->fraction_bits;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t v = sfi_clamp(g[i] * scale, -32767, 32767);
        const uint32_t by = root(squares[i]) + 1, size = (uint32_t)(v < 0 ? -v : v);
        const int32_t move = (int32_t)sfi_min_u32((256 * size + by / 2) / by, 32767);
        g[i] = v < 0 ? -move : move;
    }
}

/* |g * mult * rate| < 2^22 * 2^16 * 2^15 = 2^53, of the tail 2^30 * 2^31 = 2^61, and a rounding term of at most 2^61
 * besides. */
SFI_CLONES
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

/* The same of moves that hold sums of g * rate over several steps: |sum * mult| < 2^61 for 255 steps of 255
 * directions. */
static void scale_sums(piece* p, uint32_t at, uint32_t count, const sf_scaler* s, uint32_t rounding)
{
    const int64_t mult = (int64_t)s->update_mult;
    const uint32_t shift = s->update_shift + 15;
    const int64_t half = rounding == SF_NEAREST ? (int64_t)1 << (shift - 1) : 0;
    const uint32_t up = shift >= 16 ? shift - 16 : 0, down = shift >= 16 ? 0 : 16 - shift;
    for (uint32_t i = at; i < at + count; i++)
        p->move[i] =
            (p->move[i] * mult + (rounding == SF_STOCHASTIC ? ((int64_t)p->u[i] << up) >> down : half)) >> shift;
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

/* Weights of 8 or 4 bits; first is even. */
static void store(const sf_tensor* t, uint8_t* data, uint32_t first, uint32_t count, const int16_t* w)
{
    if (t->dtype == SF_S8) {
        for (uint32_t i = 0; i < count; i++)
            data[first + i] = (uint8_t)w[i];
        return;
    }
    data += first / 2;
    for (uint32_t i = 0; i < count / 2; i++)
        data[i] = (uint8_t)((w[2 * i] & 15) | (w[2 * i + 1] & 15) << 4);
    if (count % 2 == 1)
        data[count / 2] = (uint8_t)((w[count - 1] & 15) | (data[count / 2] & 0xf0));
}

/* Whether moves can be made in 32 bits: |g| <= 32767 whatever z is, every shift is at least 2, and weights have 16 bits
 * at most. Devices multiply 64 bits as fast, and save the second copy. */
static int is_narrow(const sf_plan* plan, const sf_trainable* entry, const sf_tensor* t, const int8_t* votes)
{
    if (!__STDC_HOSTED__ || t->dtype == SF_S32)
        return 0;
    int32_t sum = 0;
    for (uint32_t i = 0; i < plan->directions; i++)
        sum += votes[i] < 0 ? -votes[i] : votes[i];
    for (uint32_t i = 0; i < entry->scaler_count; i++)
        if (plan->scalers[entry->scaler_first + i].update_shift < 2)
            return 0;
    return plan->beta > 0 || plan->decay > 0 || sum * 127 <= 32767;
}

/* g becomes the move. With factor = high * 2^16 + low, p >> 16 is g*high + (g*low >> 16), since a floor of a floor is a
 * floor; high < 2^15 and low < 2^16, so that no product leaves 32 bits, and a shift of p by 17 or more leaves moves
 * below 2^30. */
SFI_CLONES
static void scale_moves_narrow(int32_t* g, const uint16_t* u, uint32_t count, const sf_scaler* s, uint32_t rate,
                               uint32_t rounding)
{
    const uint32_t factor = s->update_mult * rate, shift = s->update_shift - 1; /* of p >> 16 */
    const int32_t high = (int32_t)(factor >> 16), low = (int32_t)(factor & 0xffffu);
    if (rounding != SF_STOCHASTIC) {
        /* |p| < 2^46: from shift 31 up, and so with 31, the nearest is 0 and the floor is the sign */
        const uint32_t less = sfi_min_u32(shift, 31);
        const int32_t half = rounding == SF_NEAREST ? (int32_t)1 << (less - 1) : 0;
        for (uint32_t i = 0; i < count; i++)
            g[i] = (g[i] * high + ((g[i] * low) >> 16) + half) >> less;
    } else if (shift >= 16) {
        for (uint32_t i = 0; i < count; i++)
            g[i] = (((g[i] * high + ((g[i] * low) >> 16)) >> (shift - 16)) + u[i]) >> 16;
    } else {
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t rest = ((uint32_t)(g[i] * low) & 0xffffu) + ((uint32_t)u[i] << shift);
            g[i] = (g[i] * high + ((g[i] * low) >> 16) + (int32_t)(rest >> 16)) >> shift;
        }
    }
}

SFI_CLONES
static void apply_narrow(const sf_tensor* t, uint8_t* data, uint32_t first, uint32_t count, const int32_t* move)
{
    if (t->dtype == SF_S16) {
        int16_t* w = (int16_t*)(void*)data + first;
        for (uint32_t i = 0; i < count; i++)
            w[i] = (int16_t)sfi_clamp(w[i] - move[i], -32767, 32767);
    } else if (t->dtype == SF_S8) {
        int8_t* w = (int8_t*)data + first;
        for (uint32_t i = 0; i < count; i++)
            w[i] = (int8_t)sfi_clamp(w[i] - move[i], -127, 127);
    } else {
        uint8_t* w = data + first / 2; /* a piece begins with a whole byte */
        for (uint32_t i = 0; i < count / 2; i++) {
            const int32_t low = sfi_clamp(((w[i] & 15) ^ 8) - 8 - move[2 * i], -7, 7);
            const int32_t high = sfi_clamp(((w[i] >> 4) ^ 8) - 8 - move[2 * i + 1], -7, 7);
            w[i] = (uint8_t)((low & 15) | (high & 15) << 4);
        }
        if (count % 2 == 1) {
            const int32_t low = sfi_clamp(((w[count / 2] & 15) ^ 8) - 8 - move[count - 1], -7, 7);
            w[count / 2] = (uint8_t)((low & 15) | (w[count / 2] & 0xf0));
        }
    }
}

/* Long numbers move as weights of 16 bits do, and are split again. */
static void apply_long(const sf_tensor* t, const sfi_fractions* f, uint8_t* data, uint32_t first, uint32_t count,
                       const piece* p, int narrow)
{
    const sf_tensor as_s16 = {.dtype = SF_S16};
    const int32_t largest = (t->dtype == SF_S8 ? 127 : 7) << f->bits;
    int16_t w[PIECE];
    sfi_widen_weights(t, data, first, count, w);
    sfi_lengthen(f, first, count, w);
    if (narrow)
        apply_narrow(&as_s16, (uint8_t*)w, 0, count, p->g);
    else
        apply(&as_s16, (uint8_t*)w, 0, count, p->move);
    for (uint32_t i = 0; i < count; i++)
        w[i] = (int16_t)sfi_clamp(w[i], -largest, largest);
    sfi_split(f, first, count, w);
    store(t, data, first, count, w);
}

static sfi_stream stream_of(const sfi_moving* m, const sf_trainable* entry, uint32_t step, uint32_t direction)
{
    return sfi_stream_of(m->kernels, m->plan->seed, step, direction, entry->tensor);
}

/* z of some elements of one direction: where it was kept, or drawn into `room`. */
static const int8_t* z_of(const sfi_moving* m, const sf_trainable* entry, const sf_tensor* t, uint32_t step,
                          uint32_t direction, uint32_t first, uint32_t count, int8_t* room)
{
    if (direction < m->drawn.directions && t->dtype == SF_S16 && step == m->step)
        return m->drawn.z + direction * m->drawn.bytes + sfi_kept_z(t) + first;
    const sfi_stream s = stream_of(m, entry, step, direction);
    sfi_draw_planned(&s, m->program, m->plan, m->state, entry, first, count, room);
    return room;
}

static int16_t* momentum_of(const sfi_moving* m, const sf_trainable* entry)
{
    return (int16_t*)(void*)((uint8_t*)m->state + m->plan->momentum_first) + entry->element_first;
}

static uint32_t* squares_of(const sfi_moving* m, const sf_trainable* entry)
{
    return (uint32_t*)(void*)((uint8_t*)m->state + m->plan->squares_first) + entry->element_first;
}

/* g of one step. */
static void sum_directions(const sfi_moving* m, const sf_trainable* entry, const sf_tensor* t, uint32_t step,
                           uint32_t first, uint32_t count, int32_t* g)
{
    const int8_t* votes = m->votes + (size_t)(step - m->first) * m->plan->directions;
    int8_t z[PIECE];
    sfi_fill(g, 0, count * sizeof *g);
    for (uint32_t i = 0; i < m->plan->directions; i++)
        if (votes[i] != 0)
            accumulate(g, z_of(m, entry, t, step, i, first, count, z), votes[i], count);
}

/* Where the step goes becomes what guides the next one, at the deviation of a direction; nothing does if no vote says
 * where. |g| <= 255 * 128 * 127 < 2^22, and a reciprocal has at most 17 bits. */
static void move_guide(const sfi_moving* m, const sf_trainable* entry, uint32_t first, uint32_t count, const int32_t* g)
{
    int8_t* h = (int8_t*)m->state + m->plan->guide_first + entry->element_first + first;
    const uint64_t deviation = sfi_vote_deviation(m->plan, m->votes);
    if (deviation == 0)
        return;
    uint32_t bits = 1;
    while (deviation >> bits != 0)
        bits++;
    const int64_t reciprocal = (int64_t)(((uint64_t)1 << (bits + 15)) / deviation), half = (int64_t)1 << (bits - 1);
    for (uint32_t i = 0; i < count; i++)
        h[i] = (int8_t)clamped((g[i] * reciprocal + half) >> bits, 127);
}

/* The uniform numbers of stochastic rounding. */
static void draw_noise(const sfi_moving* m, const sf_trainable* entry, uint32_t first, uint32_t count, uint16_t* u)
{
    if (m->plan->rounding == SF_STOCHASTIC) {
        const sfi_stream s = stream_of(m, entry, m->step, STOCHASTIC_STREAM);
        sfi_draw_halfwords(&s, first, count, u);
    }
}

/* g, v, or the tail's gradient of a piece. */
static void gather(const sfi_moving* m, const sf_trainable* entry, const sf_tensor* t, uint32_t first, uint32_t count,
                   piece* p)
{
    if (sfi_in_tail(m->plan, entry)) {
        sfi_tail_gradient(m->program, m->plan, m->state, entry, first, count, p->g);
    } else {
        sum_directions(m, entry, t, m->step, first, count, p->g);
        if (m->plan->guide_share > 0)
            move_guide(m, entry, first, count, p->g);
        if (m->plan->decay > 0)
            square_step(m->plan, m->step, squares_of(m, entry) + first, p->g, count);
        if (m->plan->beta > 0)
            momentum_step(m->plan, momentum_of(m, entry) + first, p->g, count);
        if (m->plan->decay > 0)
            divide(m->plan, squares_of(m, entry) + first, p->g, count);
    }
    draw_noise(m, entry, first, count, p->u);
}

/* The sum of g * rate over the steps that move a piece together. */
static void gather_steps(const sfi_moving* m, const sf_trainable* entry, const sf_tensor* t, uint32_t first,
                         uint32_t count, piece* p)
{
    sfi_fill(p->move, 0, count * sizeof *p->move);
    for (uint32_t step = m->first; step <= m->step; step++) {
        const int64_t rate = sf_rate(m->plan, step);
        sum_directions(m, entry, t, step, first, count, p->g);
        for (uint32_t i = 0; i < count; i++)
            p->move[i] += rate * p->g[i];
    }
    draw_noise(m, entry, first, count, p->u);
}

#if __STDC_HOSTED__

/* The only direction with a vote, or plan->directions if there is none or more than one. */
static uint32_t only_direction(const sf_plan* plan, const int8_t* votes)
{
    uint32_t found = plan->directions;
    for (uint32_t i = 0; i < plan->directions; i++)
        if (votes[i] != 0) {
            if (found < plan->directions)
                return plan->directions;
            found = i;
        }
    return found;
}

/* Where one direction moves the weights, without momentum or random numbers, a move depends on z alone: 256 moves, made
 * as all others are, serve the whole tensor. Returns 0, with nothing moved, where that is not so or does not pay. */
static int move_by_table(const sfi_moving* m, const sf_trainable* entry, const sf_tensor* t, uint8_t* data,
                         uint32_t first, uint32_t count, uint32_t rate)
{
    const sf_plan* plan = m->plan;
    const sfi_moves_kernel moves = m->kernels->moves;
    const uint32_t direction = only_direction(plan, m->votes);
    if (moves == NULL || t->dtype != SF_S16 || entry->scaler_count != 1 || plan->beta > 0 || plan->guide_share > 0 ||
        plan->decay > 0 || plan->accumulate > 1 || plan->rounding == SF_STOCHASTIC || direction == plan->directions ||
        count < 2 * SFI_CHUNK || !is_narrow(plan, entry, t, m->votes))
        return 0;
    int32_t g[256];
    int16_t move[256];
    int8_t z[PIECE];
    for (int32_t i = 0; i < 256; i++)
        g[i] = m->votes[direction] * (i < 128 ? i : i - 256);
    scale_moves_narrow(g, NULL, 256, plan->scalers + entry->scaler_first, rate, plan->rounding);
    if (g[127] < -32767 || g[127] > 32767 || g[128] < -32767 ||
        g[128] > 32767) /* moves grow or fall with z: these are the outermost */
        return 0;
    for (uint32_t i = 0; i < 256; i++)
        move[i] = (int16_t)g[i];
    for (uint32_t end = first + count, some; first < end; first += some) {
        some = sfi_min_u32(PIECE, end - first);
        moves((int16_t*)(void*)data + first, z_of(m, entry, t, m->step, direction, first, some, z), some, move);
    }
    return 1;
}

#endif

void sfi_update_elements(const sfi_moving* m, const sf_trainable* entry, uint32_t first, uint32_t count)
{
    const sf_plan* plan = m->plan;
    const sf_tensor* t = m->program->tensors + entry->tensor;
    uint8_t* data = (uint8_t*)(uintptr_t)sfi_weight_at(m->program, plan, m->weights,
                                                       entry->tensor); /* of `weights`, not of the file */
    const uint32_t rate = sf_rate(plan, m->step), end = first + count;
    const int exact = sfi_in_tail(plan, entry), together = plan->accumulate > 1,
              narrow = !together && !exact && is_narrow(plan, entry, t, m->votes);
    const sfi_fractions fractions = sfi_fractions_of(m->program, plan, m->state, entry);
    piece p;
#if __STDC_HOSTED__
    if (!exact && move_by_table(m, entry, t, data, first, count, rate))
        return;
#endif
    for (; first < end; first += count) {
        count = sfi_min_u32(PIECE, end - first);
        if (together)
            gather_steps(m, entry, t, first, count, &p);
        else
            gather(m, entry, t, first, count, &p);
        for (uint32_t at = 0, run; at < count; at += run) {
            const sf_scaler* s = sfi_scaler_at(plan, entry, t, first + at, count - at, &run);
            if (together)
                scale_sums(&p, at, run, s, plan->rounding);
            else if (narrow)
                scale_moves_narrow(p.g + at, p.u + at, run, s, rate, plan->rounding);
            else
                scale_moves(&p, at, run, s, rate, plan->rounding);
        }
        if (fractions.bits > 0)
            apply_long(t, &fractions, data, first, count, &p, narrow);
        else if (narrow)
            apply_narrow(t, data, first, count, p.g);
        else
            apply(t, data, first, count, p.move);
    }
}

sf_status sfi_check_update(const sfi_moving* m)
{
    if (m->program == NULL || m->plan == NULL || m->weights == NULL || m->votes == NULL || m->step >= m->plan->steps ||
        (m->state == NULL && m->plan->state_bytes > 0))
        return SF_BAD_ARGUMENT;
    return ((uintptr_t)m->weights & 3u) != 0 || ((uintptr_t)m->state & 3u) != 0 ? SF_MISALIGNED : SF_OK;
}

int sfi_hold_votes(sfi_moving* m)
{
    const sf_plan* plan = m->plan;
    m->first = m->step;
    if (plan->accumulate <= 1)
        return 1;
    const uint32_t place = m->step % plan->accumulate;
    int8_t* held = (int8_t*)m->state + plan->held_first;
    sfi_copy(held + (size_t)place * plan->directions, m->votes, plan->directions);
    m->votes = held;
    m->first = m->step - place;
    return place + 1 == plan->accumulate || m->step + 1 == plan->steps;
}

sf_status sf_update(const sf_program* program, const sf_plan* plan, void* weights, void* state, uint32_t step,
                    const int8_t* votes)
{
    const sfi_kernels kernels = sfi_choose();
    sfi_moving m = {&kernels, program, plan, weights, state, step, votes, step, {NULL, 0, 0}};
    const sf_status status = sfi_check_update(&m);
    if (status == SF_OK && !sfi_hold_votes(&m))
        return SF_OK;
    if (status == SF_OK)
        sfi_tail_settle(program, plan, state);
    for (uint32_t i = 0; status == SF_OK && i < plan->trainable_count; i++) {
        const sf_trainable* entry = plan->trainables + i;
        sfi_update_elements(&m, entry, 0, (uint32_t)program->tensors[entry->tensor].elements);
    }
    if (status == SF_OK)
        sfi_tail_clear(plan, state);
    return status;
}
