/* Philox4x32-10 against its published known-answer vectors; directions by their statistics, and piece by piece. */
#include <string.h>

#include "check.h"
#include "stepforward.h"

static int philox_gives(const uint32_t counter[4], const uint32_t key[2], const uint32_t expected[4])
{
    uint32_t words[4];
    sf_philox(counter, key, words);
    return memcmp(words, expected, sizeof words) == 0;
}

static void known_answers(void)
{
    const uint32_t zero[4] = {0, 0, 0, 0}, ones[4] = {~0u, ~0u, ~0u, ~0u};
    const uint32_t pi[4] = {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, pi_key[2] = {0xa4093822u, 0x299f31d0u};
    const uint32_t of_zero[4] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
    const uint32_t of_ones[4] = {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu};
    const uint32_t of_pi[4] = {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u};
    CHECK(philox_gives(zero, zero, of_zero));
    CHECK(philox_gives(ones, ones, of_ones));
    CHECK(philox_gives(pi, pi_key, of_pi));
}

static void moments(uint32_t distribution)
{
    enum { N = 100000 };
    static int8_t z[N];
    double sum = 0, squares = 0;
    sf_directions(distribution, 42, 7, 1, 3, 0, N, z);
    for (int i = 0; i < N; i++) {
        const double real = z[i] * 3.5 / 127;
        sum += real;
        squares += real * real;
    }
    CHECK(sum / N > -0.02 && sum / N < 0.02);
    CHECK(squares / N > 0.97 && squares / N < 1.03);
}

static void any_piece(uint32_t distribution)
{
    int8_t whole[700], piece[700];
    sf_directions(distribution, 1, 2, 3, 4, 0, 700, whole);
    for (uint32_t first = 0; first < 300; first += 7)
        for (uint32_t count = 0; count < 400; count += 61) {
            sf_directions(distribution, 1, 2, 3, 4, first, count, piece);
            CHECK(memcmp(piece, whole + first, count) == 0);
        }
}

int main(void)
{
    known_answers();
    for (uint32_t distribution = SF_NORMAL; distribution <= SF_BINOMIAL; distribution++) {
        moments(distribution);
        any_piece(distribution);
    }
    puts("directions: ok");
    return 0;
}
