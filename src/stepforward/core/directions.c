/* Directions (contract, section 6): any element of any z from a counter, without state. */
#include "internal.h"

#if __STDC_HOSTED__
#define LANES 16u /* Philox blocks computed side by side, for the vectoriser */
#else
#define LANES 1u
#endif

/* Blocks first_block .. first_block+LANES-1 of one stream. words[lane * 4 + word]. */
SF_INLINE void philox(uint32_t first_block, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1,
                      uint32_t* words, const uint32_t lanes)
{
    uint32_t a[LANES], b[LANES], c[LANES], d[LANES];
    for (uint32_t i = 0; i < lanes; i++) {
        a[i] = first_block + i;
        b[i] = c1;
        c[i] = c2;
        d[i] = c3;
    }
    for (uint32_t round = 0; round < 10; round++) {
        for (uint32_t i = 0; i < lanes; i++) {
            uint64_t p = (uint64_t)0xD2511F53u * a[i], q = (uint64_t)0xCD9E8D57u * c[i];
            a[i] = (uint32_t)(q >> 32) ^ b[i] ^ k0;
            b[i] = (uint32_t)q;
            c[i] = (uint32_t)(p >> 32) ^ d[i] ^ k1;
            d[i] = (uint32_t)p;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (uint32_t i = 0; i < lanes; i++) {
        words[4 * i] = a[i];
        words[4 * i + 1] = b[i];
        words[4 * i + 2] = c[i];
        words[4 * i + 3] = d[i];
    }
}

void sf_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t words[4])
{
    philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1], words, 1);
}

SF_INLINE uint32_t half_of(const uint32_t* words, uint32_t index) { return (words[index >> 1] >> (16u * (index & 1u))) & 0xffffu; }

SF_INLINE uint32_t popcount16(uint32_t u)
{
    u -= (u >> 1) & 0x5555u;
    u = (u & 0x3333u) + ((u >> 2) & 0x3333u);
    u = (u + (u >> 4)) & 0x0f0fu;
    return (u + (u >> 8)) & 0x1fu;
}

/* Without a branch: which way it goes is a coin toss. */
SF_INLINE int8_t normal(uint32_t u)
{
    const uint32_t slot = u & 255u, entry = sf_table_alias[slot];
    const uint32_t keep = 0u - (uint32_t)((u >> 8) < (entry & 255u)), other = entry >> 8;
    return (int8_t)((int32_t)(other ^ ((other ^ slot) & keep)) - 128);
}

SF_INLINE int8_t binomial(uint32_t u) { return (int8_t)sf_clamp(18 * ((int32_t)popcount16(u) - 8), -127, 127); }

/* Where `count` elements from `first` lie inside LANES blocks of `per_block` elements each. */
typedef struct window {
    uint32_t block; /* first block */
    uint32_t skip;  /* elements of it to leave out */
    uint32_t take;
} window;

SF_INLINE window next_window(uint32_t first, uint32_t count, uint32_t per_block)
{
    window w = {first / per_block, first % per_block, 0};
    w.take = sf_min_u32(count, LANES * per_block - w.skip);
    return w;
}

SF_CLONES
void sf_directions(uint32_t distribution, uint64_t seed, uint32_t step, uint32_t direction, uint32_t tensor, uint32_t first,
                   uint32_t count, int8_t* z)
{
    uint32_t words[4 * LANES];
    const uint32_t per_block = distribution == SF_RADEMACHER ? 128u : 8u;
    while (count > 0) {
        const window w = next_window(first, count, per_block);
        philox(w.block, tensor, direction, step, (uint32_t)seed, (uint32_t)(seed >> 32), words, LANES);
        if (distribution == SF_NORMAL)
            for (uint32_t i = 0; i < w.take; i++)
                z[i] = normal(half_of(words, w.skip + i));
        else if (distribution == SF_BINOMIAL)
            for (uint32_t i = 0; i < w.take; i++)
                z[i] = binomial(half_of(words, w.skip + i));
        else
            for (uint32_t i = 0; i < w.take; i++)
                z[i] = (words[(w.skip + i) >> 5] >> ((w.skip + i) & 31u)) & 1u ? 36 : -36;
        z += w.take;
        first += w.take;
        count -= w.take;
    }
}

SF_CLONES
void sf_halfwords(uint64_t seed, uint32_t step, uint32_t direction, uint32_t tensor, uint32_t first, uint32_t count,
                  uint16_t* u)
{
    uint32_t words[4 * LANES];
    while (count > 0) {
        const window w = next_window(first, count, 8u);
        philox(w.block, tensor, direction, step, (uint32_t)seed, (uint32_t)(seed >> 32), words, LANES);
        for (uint32_t i = 0; i < w.take; i++)
            u[i] = (uint16_t)half_of(words, w.skip + i);
        u += w.take;
        first += w.take;
        count -= w.take;
    }
}
