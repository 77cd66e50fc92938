/* Directions (contract, section 6): any element of any z from a counter, without state. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/tables.h"
#include "random/draw.h"
#include "stepforward.h"

#if __STDC_HOSTED__
#define LANES 16u /* Philox blocks computed side by side, for the vectoriser */
#else
#define LANES 1u
#endif

/* Keeps a loop over lanes a loop until the vectoriser sees it. */
#define FOR_LANES SFI_ROLLED for (uint32_t i = 0; i < lanes; i++)

/* Philox4x32-10 of some blocks: word j of block i is at words[j * lanes + i], before (counter) and after (output). */
SFI_INLINE void philox(uint32_t* words, const uint32_t lanes, uint32_t k0, uint32_t k1)
{
    uint32_t *a = words, *b = words + lanes, *c = words + 2 * lanes, *d = words + 3 * lanes;
    for (uint32_t round = 0; round < 10; round++) {
        FOR_LANES
        {
            const uint64_t p = (uint64_t)0xD2511F53u * a[i], q = (uint64_t)0xCD9E8D57u * c[i];
            a[i] = (uint32_t)(q >> 32) ^ b[i] ^ k0;
            b[i] = (uint32_t)q;
            c[i] = (uint32_t)(p >> 32) ^ d[i] ^ k1;
            d[i] = (uint32_t)p;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

void sf_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t words[4])
{
    uint32_t block[4] = {counter[0], counter[1], counter[2], counter[3]};
    philox(block, 1, key[0], key[1]);
    sfi_copy(words, block, sizeof block);
}

/* Output words of blocks first .. first+lanes-1, one block after the other. */
SFI_INLINE void draw(const sfi_stream* s, uint32_t first, const uint32_t lanes, uint32_t* words)
{
    uint32_t lane_words[4 * LANES];
    FOR_LANES
    {
        lane_words[i] = first + i;
        lane_words[lanes + i] = s->tensor;
        lane_words[2 * lanes + i] = s->direction;
        lane_words[3 * lanes + i] = s->step;
    }
    philox(lane_words, lanes, (uint32_t)s->seed, (uint32_t)(s->seed >> 32));
    for (uint32_t i = 0; i < lanes; i++)
        for (uint32_t j = 0; j < 4; j++)
            words[4 * i + j] = lane_words[j * lanes + i];
}

SFI_INLINE uint32_t half_of(const uint32_t* words, uint32_t index)
{
    return (words[index >> 1] >> (16u * (index & 1u))) & 0xffffu;
}

SFI_INLINE uint32_t popcount16(uint32_t u)
{
    u -= (u >> 1) & 0x5555u;
    u = (u & 0x3333u) + ((u >> 2) & 0x3333u);
    u = (u + (u >> 4)) & 0x0f0fu;
    return (u + (u >> 8)) & 0x1fu;
}

/* Without a branch: which way it goes is a coin toss. */
SFI_INLINE int8_t normal(uint32_t u)
{
    const uint32_t slot = u & 255u, entry = sfi_table_alias[slot];
    const uint32_t keep = 0u - (uint32_t)((u >> 8) < (entry & 255u)), other = entry >> 8;
    return (int8_t)((int32_t)(other ^ ((other ^ slot) & keep)) - 128);
}

SFI_INLINE int8_t binomial(uint32_t u) { return (int8_t)sfi_clamp(18 * ((int32_t)popcount16(u) - 8), -127, 127); }

/* Half-words of elements first .. first+count-1; returns how many fit into one draw. */
SFI_INLINE uint32_t draw_halves(const sfi_stream* s, uint32_t first, uint32_t count, uint32_t* words)
{
    draw(s, first / 8, LANES, words);
    return sfi_min_u32(count, 8 * LANES - first % 8);
}

static void fill_normal(const sfi_stream* s, uint32_t first, uint32_t count, int8_t* z)
{
    uint32_t words[4 * LANES];
    for (uint32_t took; count > 0; z += took, first += took, count -= took) {
        took = draw_halves(s, first, count, words);
        for (uint32_t i = 0; i < took; i++)
            z[i] = normal(half_of(words, first % 8 + i));
    }
}

static void fill_binomial(const sfi_stream* s, uint32_t first, uint32_t count, int8_t* z)
{
    uint32_t words[4 * LANES];
    for (uint32_t took; count > 0; z += took, first += took, count -= took) {
        took = draw_halves(s, first, count, words);
        for (uint32_t i = 0; i < took; i++)
            z[i] = binomial(half_of(words, first % 8 + i));
    }
}

static void fill_halves(const sfi_stream* s, uint32_t first, uint32_t count, uint16_t* u)
{
    uint32_t words[4 * LANES];
    for (uint32_t took; count > 0; u += took, first += took, count -= took) {
        took = draw_halves(s, first, count, words);
        for (uint32_t i = 0; i < took; i++)
            u[i] = (uint16_t)half_of(words, first % 8 + i);
    }
}

static void fill_rademacher(const sfi_stream* s, uint32_t first, uint32_t count, int8_t* z, sfi_draw_signs signs)
{
    uint32_t words[4];
    for (uint32_t took; count > 0; z += took, first += took, count -= took) {
        draw(s, first / 128, 1, words);
        took = sfi_min_u32(count, 128 - first % 128);
        if (signs != NULL && took == 128)
            signs(words, z);
        else
            for (uint32_t i = 0, bit = first % 128; i < took; i++, bit++)
                z[i] = (int8_t)(72 * (int32_t)((words[bit >> 5] >> (bit & 31u)) & 1u) - 36);
    }
}

/* The keys of the ten rounds. */
static void schedule(const sfi_stream* s, uint32_t keys[20])
{
    for (uint32_t round = 0; round < 10; round++) {
        keys[2 * round] = (uint32_t)s->seed + round * 0x9E3779B9u;
        keys[2 * round + 1] = (uint32_t)(s->seed >> 32) + round * 0xBB67AE85u;
    }
}

/* Whole groups where they go, and what does not begin or end with one through a copy. */
static void fill_fast(const sfi_stream* s, uint32_t first, uint32_t count, int8_t* z, sfi_draw_z kernel)
{
    uint32_t keys[20];
    schedule(s, keys);
    uint32_t counter[4] = {first / 8, s->tensor, s->direction, s->step};
    for (uint32_t skip = first % 8, took; count > 0; z += took, count -= took, skip = 0) {
        const uint32_t groups = skip == 0 && count >= SFI_DRAW ? count / SFI_DRAW : 1;
        took = sfi_min_u32(count, groups * SFI_DRAW - skip);
        if (took == groups * SFI_DRAW) {
            kernel(counter, keys, groups, z);
        } else {
            int8_t all[SFI_DRAW];
            kernel(counter, keys, 1, all);
            sfi_copy(z, all + skip, took);
        }
        counter[0] += groups * (SFI_DRAW / 8);
    }
}

static void fill_halves_fast(const sfi_stream* s, uint32_t first, uint32_t count, uint16_t* u, sfi_draw_halves kernel)
{
    uint32_t keys[20];
    schedule(s, keys);
    uint32_t counter[4] = {first / 8, s->tensor, s->direction, s->step};
    for (uint32_t skip = first % 8, took; count > 0; u += took, count -= took, skip = 0) {
        const uint32_t groups = skip == 0 && count >= SFI_DRAW ? count / SFI_DRAW : 1;
        took = sfi_min_u32(count, groups * SFI_DRAW - skip);
        if (took == groups * SFI_DRAW) {
            kernel(counter, keys, groups, u);
        } else {
            uint16_t all[SFI_DRAW];
            kernel(counter, keys, 1, all);
            sfi_copy(u, all + skip, took * sizeof *u);
        }
        counter[0] += groups * (SFI_DRAW / 8);
    }
}

/* On a device a constant, so that nothing is left of the fast ways. */
SFI_INLINE sfi_draw_kernels fast_of(const sfi_stream* s)
{
#if __STDC_HOSTED__
    return *s->kernels;
#else
    const sfi_draw_kernels none = {NULL, NULL, NULL, NULL};
    (void)s;
    return none;
#endif
}

void sfi_draw(const sfi_stream* s, uint32_t distribution, uint32_t first, uint32_t count, int8_t* z)
{
    const sfi_draw_kernels fast = fast_of(s);
    if (distribution == SF_RADEMACHER)
        fill_rademacher(s, first, count, z, fast.signs);
    else if (fast.normal != NULL)
        fill_fast(s, first, count, z, distribution == SF_NORMAL ? fast.normal : fast.binomial);
    else if (distribution == SF_NORMAL)
        fill_normal(s, first, count, z);
    else
        fill_binomial(s, first, count, z);
}

void sfi_draw_halfwords(const sfi_stream* s, uint32_t first, uint32_t count, uint16_t* u)
{
    const sfi_draw_kernels fast = fast_of(s);
    if (fast.halves != NULL)
        fill_halves_fast(s, first, count, u, fast.halves);
    else
        fill_halves(s, first, count, u);
}
