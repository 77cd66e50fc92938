/* From accumulators to outputs on a host, by the roundings of other runtimes (base/rounding.h), in vectors. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "multiply/host/plain/plain.h"
#include "multiply/rows.h"
#include "stepforward.h"

#define LANES 16
/* 1.5 * 2^23: a float of at most 2^22 that is added to it becomes an integer, half to even. */
#define EVEN 12582912.0f

SFI_INLINE float float_of(int32_t bits)
{
    float v;
    sfi_copy(&v, &bits, sizeof v);
    return v;
}

SFI_INLINE int32_t bits_of(float value)
{
    int32_t v;
    sfi_copy(&v, &value, sizeof v);
    return v;
}

/* Clamped before it is rounded: the limits are integers, so that changes nothing. */
SFI_INLINE int32_t float_value(int32_t a, int32_t scale, float lo, float hi)
{
    float v = (float)a * float_of(scale);
    v = v < lo ? lo : v;
    v = v > hi ? hi : v;
    return bits_of(v + EVEN) - bits_of(EVEN);
}

SFI_INLINE void lanes_of(const sfi_rows* rows, const int32_t* acc, uint32_t r, const uint32_t lanes, int32_t* out)
{
    const int32_t *bias = rows->bias + r, *mult = rows->mult + r, *half = rows->half + r, *shift = rows->shift + r;
    const int32_t zero = rows->zero_point, lo = rows->lo - zero, hi = rows->hi - zero;
    int32_t a[LANES];
    for (uint32_t i = 0; i < lanes; i++)
        a[i] = (int32_t)((uint32_t)acc[i] + (uint32_t)bias[i]); /* rows of bytes: packed_rows.c */
    if (rows->rounding == SFI_FLOAT)
        for (uint32_t i = 0; i < lanes; i++)
            out[i] = float_value(a[i], half[i], (float)lo, (float)hi) + zero;
    else if (rows->rounding == SFI_TWICE)
        for (uint32_t i = 0; i < lanes; i++)
            out[i] = sfi_clamp(sfi_twice_lane(a[i], mult[i], shift[i] - 31), lo, hi) + zero;
    else
        for (uint32_t i = 0; i < lanes; i++)
            out[i] = sfi_finished_otherwise(a[i], mult[i], shift[i], rows->rounding, zero, rows->lo, rows->hi);
}

SFI_INLINE void store(const int32_t* v, int32_t dtype, void* y, size_t at, const uint32_t lanes)
{
    for (uint32_t i = 0; i < lanes; i++)
        sfi_store(y, dtype, at + i, v[i]);
}

SFI_CLONES
void sfi_rows_rounded(const sfi_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions,
                      void* y, const size_t* at)
{
    const sfi_rows local = *rows; /* y may not alias it, for all the compiler knows */
    int32_t v[LANES];
    for (uint32_t p = 0; p < positions; p++, acc += capacity) {
        uint32_t r = 0;
        for (; r + LANES <= count; r += LANES) {
            lanes_of(&local, acc + r, r, LANES, v);
            store(v, local.dtype, y, at[p] + r, LANES);
        }
        if (r < count) {
            lanes_of(&local, acc + r, r, count - r, v);
            store(v, local.dtype, y, at[p] + r, count - r);
        }
    }
}
