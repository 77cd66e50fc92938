/* A sum by the rounding of another runtime. */
#include "base/rounding.h"
#include "base/integers.h"
#include "base/machine.h"

static int32_t saturated(int64_t v) { return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v; }

/* shift 1 .. 62, mult < 2^31. The rest after the high word is rounded half away from zero. */
static int32_t twice(int32_t a, int32_t mult, int32_t shift)
{
    const int32_t left = shift < 31 ? 31 - shift : 0, right = shift > 31 ? shift - 31 : 0;
    const int32_t kept = left > 0 ? saturated((int64_t)a * ((int64_t)1 << left)) : a;
    const int32_t high = (int32_t)(((int64_t)kept * mult + (1 << 30)) >> 31), half = (int32_t)((1u << right) >> 1);
    return right > 0 ? (int32_t)(((int64_t)high + half - (high < 0)) >> right) : high;
}

/* The same pairs; may be anything below 2^62. */
static int64_t once(int32_t a, int32_t mult, int32_t shift)
{
    return ((int64_t)a * mult + ((int64_t)1 << (shift - 1))) >> shift;
}

int64_t sfi_even(int64_t value, int32_t shift)
{
    return shift > 0 ? (value + (((int64_t)1 << shift) >> 1) - 1 + ((value >> shift) & 1)) >> shift : value;
}

int64_t sfi_to_float32(int64_t value)
{
    const uint64_t magnitude = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
    int32_t dropped = 0; /* counted in plain C: small devices have no instruction for it */
    for (int32_t step = 32; step > 0; step /= 2)
        if (magnitude >> (24 + dropped) >= (uint64_t)1 << (step - 1))
            dropped += step;
    return sfi_even(value, dropped) * ((int64_t)1 << dropped);
}

/* What float32 arithmetic gives for a * (mult / 2^shift), rounded to an integer; 2^23 <= mult < 2^24, or 0. */
static int64_t in_float(int32_t a, int32_t mult, int32_t shift)
{
    return sfi_even(sfi_to_float32(sfi_to_float32(a) * mult), shift > 60 ? 60 : shift);
}

int64_t sfi_rounded(int64_t acc, const int32_t* pair, int32_t rounding)
{
    const int32_t a = saturated(acc);
    if (rounding == SFI_TWICE)
        return twice(a, pair[0], pair[1]);
    return rounding == SFI_ONCE ? once(a, pair[0], pair[1]) : in_float(a, pair[0], pair[1]);
}
