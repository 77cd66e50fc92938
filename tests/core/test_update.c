/* Moves of the weights against the contract, section 8, element by element in 64 bits: every type of weight, rounding,
 * shift and layout of scalers, with numbers at their limits. */
#include <string.h>

#include "check.h"
#include "base/integers.h"
#include "multiply/choose.h"
#include "multiply/stage.h"
#include "train/update.h"

#define ELEMENTS 3001
#define MARGIN 64 /* bytes after the weights that nobody may touch */

static uint32_t state = 1;

static uint32_t below(uint32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static int32_t limit_of(int32_t dtype)
{
    return dtype == SF_S32 ? INT32_MAX : dtype == SF_S16 ? 32767 : dtype == SF_S8 ? 127 : 7;
}

static int32_t get(const uint8_t* data, int32_t dtype, uint32_t e)
{
    if (dtype == SF_S32)
        return ((const int32_t*)(const void*)data)[e];
    if (dtype == SF_S16)
        return ((const int16_t*)(const void*)data)[e];
    return dtype == SF_S8 ? ((const int8_t*)data)[e] : ((data[e / 2] >> 4 * (e % 2) & 15) ^ 8) - 8;
}

/* The type's smallest number as well, which no weight has after a step. */
static void fill(uint8_t* data, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        data[i] = below(4) == 0 ? (below(2) ? 0x7f : 0x80) : (uint8_t)below(256);
}

static int64_t expected_move(const sf_plan* plan, const sf_scaler* s, int64_t g, uint32_t u, uint32_t rate)
{
    const int64_t p = g * s->update_mult * rate;
    const uint32_t shift = s->update_shift + 15;
    if (plan->rounding == SF_FLOOR)
        return p >> shift;
    if (plan->rounding == SF_NEAREST)
        return (p + ((int64_t)1 << (shift - 1))) >> shift;
    return (p + (shift >= 16 ? (int64_t)u << (shift - 16) : (int64_t)u >> (16 - shift))) >> shift;
}

static void check(const sf_plan* plan, const sf_tensor* t, const int8_t* votes, uint32_t step, const uint8_t* before,
                  const int16_t* momentum_before, const uint8_t* after, const int16_t* momentum)
{
    static int8_t z[ELEMENTS];
    static int64_t g[ELEMENTS];
    static uint16_t u[ELEMENTS];
    const uint32_t count = (uint32_t)t->elements, rate = sf_rate(plan, step);
    memset(g, 0, sizeof g);
    for (uint32_t i = 0; i < plan->directions; i++) {
        sf_directions(plan->distribution, plan->seed, step, i, 0, 0, count, z);
        for (uint32_t e = 0; e < count; e++)
            g[e] += votes[i] * z[e];
    }
    sf_halfwords(plan->seed, step, 0xffffffffu, 0, 0, count, u);
    for (uint32_t e = 0; e < count; e++) {
        uint32_t run;
        if (plan->beta > 0) {
            const int64_t v =
                ((momentum_before[e] * (int64_t)plan->beta + 16384) >> 15) + g[e] * (1 << plan->fraction_bits);
            g[e] = v < -32767 ? -32767 : v > 32767 ? 32767 : v;
            CHECK(momentum[e] == g[e]);
        }
        const sf_scaler* s = sfi_scaler_at(plan, plan->trainables, t, e, 1, &run);
        const int64_t limit = limit_of(t->dtype),
                      w = get(before, t->dtype, e) - expected_move(plan, s, g[e], u[e], rate);
        CHECK(get(after, t->dtype, e) == (w < -limit ? -limit : w > limit ? limit : w));
    }
}

static void trial(uint32_t number)
{
    static uint32_t words[2][ELEMENTS + MARGIN / 4];
    static int16_t momentum[2][ELEMENTS + 1] __attribute__((aligned(4))); /* rows of whole words */
    static sf_scaler scalers[ELEMENTS];
    static const uint32_t bits[4] = {8, 16, 4, 32};
    const uint32_t count = 1 + below(ELEMENTS), channels = 1 + below(below(2) ? 40 : 3);
    const int32_t dtype = (int32_t)(number % 4), rule = (int32_t)below(3);
    const uint32_t bytes = (count * bits[dtype] + 7) / 8;
    uint8_t *before = (uint8_t*)words[0], *after = (uint8_t*)words[1];
    sf_tensor tensor = {dtype, 1, {(int32_t)count, 1, 1, 1, 1, 1}, 0, 0, (int32_t)bytes, (int32_t)count, rule, 1,
                        0,     -1};
    tensor.channel_divisor = rule == 2 ? (int32_t)channels : (int32_t)((count + channels - 1) / channels);
    sf_trainable entry = {0, 0, below(2) && rule > 0 ? channels : 1, 0};
    sf_program program = {0};
    sf_plan plan = {0};
    program.tensors = &tensor;
    plan.trainables = &entry;
    plan.scalers = scalers;
    plan.trainable_count = plan.voted_count = 1;
    plan.seed = state;
    plan.directions = below(3) ? 1 + below(3) : below(8) ? 4 + below(13) : SF_MAX_DIRECTIONS;
    plan.distribution = below(3);
    plan.rounding = number / 4 % 3;
    plan.schedule = below(3);
    plan.steps = 100;
    if (below(2)) {
        plan.beta = below(2) ? 32768 : 1 + below(32767);
        plan.fraction_bits = below(9);
        plan.state_bytes = 2 * count;
    }
    const uint32_t shift = below(48), spread = below(3);
    for (uint32_t i = 0; i < channels; i++) {
        scalers[i].update_mult = below(3) ? 32768 + below(32768) : below(2) ? 65535 : below(65536);
        scalers[i].update_shift = sfi_min_u32(shift + below(spread + 1), 47);
    }
    int8_t votes[SF_MAX_DIRECTIONS];
    const uint32_t most = below(3) ? 1 : 128;
    for (uint32_t i = 0; i < plan.directions; i++)
        votes[i] = (int8_t)((int32_t)below(2 * most) - (int32_t)most + (most == 1 && below(2)));
    fill(before, bytes + MARGIN);
    memcpy(after, before, bytes + MARGIN);
    for (uint32_t e = 0; e < count; e++)
        momentum[0][e] = momentum[1][e] = (int16_t)((int32_t)below(65535) - 32767);
    const uint32_t step = below(100);
    if (below(2)) {
        CHECK(sf_update(&program, &plan, after, momentum[1], step, votes) == SF_OK);
    } else {
        /* pieces, the last one first */
        const sfi_kernels kernels = sfi_choose();
        const sfi_moving moving = {&kernels, &program, &plan, after, momentum[1], step, votes, step, {NULL, 0, 0}};
        const uint32_t piece = SFI_CHUNK * (1 + below(12));
        for (uint32_t first = (count - 1) / piece * piece;; first -= piece) {
            sfi_update_elements(&moving, &entry, first, sfi_min_u32(piece, count - first));
            if (first == 0)
                break;
        }
    }
    check(&plan, &tensor, votes, step, before, momentum[0], after, momentum[1]);
    if (dtype == SF_S4 && count % 2 == 1)
        CHECK(before[bytes - 1] >> 4 == after[bytes - 1] >> 4);
    CHECK(memcmp(before + bytes, after + bytes, MARGIN) == 0);
}

int main(void)
{
    for (uint32_t number = 0; number < 3000; number++)
        trial(number);
    puts("update: ok");
    return 0;
}
