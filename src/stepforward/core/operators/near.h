/* Sums of two tensors whose roundings on the way decide next to halves alone. */
#ifndef SFI_NEAR_H
#define SFI_NEAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/integers.h"
#include "base/machine.h"

#if __STDC_HOSTED__
/* A sum in one step, 2^bits times finer than the output. Where it is farther from a half than all that other roundings
 * leave out, they end at the same integer; where it is not, they have to be followed. bits: 0 where they always have.
 */
enum { SFI_MOST_BITS = 22, SFI_LEAST_BITS = 12, SFI_RUN = 64, SFI_PATIENCE = 16 };
typedef struct sfi_near {
    int32_t of_a, of_b, rest, bits, doubt, lo, hi;
} sfi_near;

/* Of short runs, such as those of an input that is repeated: to find out takes as long as to follow them. */
static const sfi_near sfi_always = {0, 0, 0, 0, 0, 0, 0};

/* All roundings of `count` outputs, in a way of the caller's. */
typedef void (*sfi_following)(const void* how, const int8_t* a, const int8_t* b, size_t count, int8_t* y);

/* Whether doubts are so few that it pays. */
SFI_INLINE int sfi_near_pays(int64_t doubt, int32_t bits) { return doubt < (int64_t)1 << bits >> 6; }

/* What a ratio of 2^-shift * mult is 2^bits times finer, rounded; mult < 2^62. */
SFI_INLINE int64_t sfi_finer(int64_t mult, int32_t shift)
{
    return shift > 62 ? 0 : (mult + ((int64_t)1 << shift >> 1)) >> shift;
}

/* Whether all of at most SFI_RUN outputs are beyond doubt. */
SFI_CLONES
static int sfi_is_near(const sfi_near* near, const int8_t* restrict a, const int8_t* restrict b, size_t count,
                       int8_t* restrict y)
{
    const sfi_near n = *near;
    const uint32_t below = (1u << n.bits) - 1, twice = 2 * (uint32_t)n.doubt;
    uint32_t doubts = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t sum = a[i] * n.of_a + b[i] * n.of_b + n.rest;
        doubts |= ((uint32_t)(sum + n.doubt) & below) < twice;
        y[i] = (int8_t)sfi_clamp(sum >> n.bits, n.lo, n.hi);
    }
    return !doubts;
}

/* A run that is in doubt is followed; where every second one is, all that are left. */
SFI_INLINE void sfi_near_sums(const sfi_near* n, sfi_following follow, const void* how, const int8_t* a,
                              const int8_t* b, size_t count, int8_t* y)
{
    size_t followed = 0;
    for (size_t i = 0; i < count; i += SFI_RUN) {
        const size_t some = count - i < SFI_RUN ? count - i : SFI_RUN;
        const int always = n->bits == 0 || 2 * followed > i / SFI_RUN + SFI_PATIENCE;
        if (always || !sfi_is_near(n, a + i, b + i, some, y + i)) {
            follow(how, a + i, b + i, some, y + i);
            followed++;
        }
    }
}
#endif
#endif
