/* From accumulators to outputs on a host, in 32 bits (rows.c has the proof) and in 64. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "multiply/host/plain/plain.h"
#include "multiply/rows.h"
#include "stepforward.h"

#define LANES 16

/* `lanes` rows from r on. A constant number of lanes keeps the vectors as wide as int32 needs them, however few bytes
 * leave. */
SFI_INLINE void narrow_lanes(const sfi_rows* rows, const int32_t* acc, uint32_t r, const uint32_t lanes, int32_t* out)
{
    const int32_t *bias = rows->bias + r, *mult = rows->mult + r, *half = rows->half + r, *shift = rows->shift + r;
    for (uint32_t i = 0; i < lanes; i++) {
        const int32_t a = (int32_t)((uint32_t)acc[i] + (uint32_t)bias[i]); /* rows of bytes: packed_rows.c */
        const int32_t low = (int32_t)((((uint32_t)a & 0xffffu) * (uint32_t)mult[i]) >> 16);
        const int32_t v = (((a >> 16) * mult[i] + low + half[i]) >> (shift[i] - 16)) + rows->zero_point;
        out[i] = sfi_clamp(v, rows->lo, rows->hi);
    }
}

SFI_INLINE void store_lanes(const int32_t* v, int32_t dtype, void* y, size_t at, const uint32_t lanes)
{
    if (dtype == SF_S16)
        for (uint32_t i = 0; i < lanes; i++)
            ((int16_t*)y)[at + i] = (int16_t)v[i];
    else
        for (uint32_t i = 0; i < lanes; i++)
            ((int8_t*)y)[at + i] = (int8_t)v[i];
}

/* Outputs of the first `count` rows at some positions: position p reads acc[p * capacity ..], without bias, and writes
 * y[at + p*step ..]. */
SFI_CLONES
void sfi_rows_narrow(const sfi_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions,
                     void* y, size_t at, size_t step)
{
    const sfi_rows local = *rows; /* y may not alias it, for all the compiler knows */
    int32_t v[LANES];
    for (uint32_t p = 0; p < positions; p++, acc += capacity, at += step) {
        uint32_t r = 0;
        for (; r + LANES <= count; r += LANES) {
            narrow_lanes(&local, acc + r, r, LANES, v);
            store_lanes(v, local.dtype, y, at + r, LANES);
        }
        for (; r < count; r++) {
            narrow_lanes(&local, acc + r, r, 1, v);
            store_lanes(v, local.dtype, y, at + r, 1);
        }
    }
}

/* The same in 64 bits, for any accumulator of the contract. */
void sfi_rows_wide(const sfi_rows* rows, const int64_t* acc, uint32_t capacity, uint32_t count, uint32_t positions,
                   void* y, size_t at, size_t step)
{
    for (uint32_t p = 0; p < positions; p++, acc += capacity, at += step)
        for (uint32_t r = 0; r < count; r++)
            sfi_store(y, rows->dtype, at + r,
                      sfi_finished(acc[r] + rows->bias[r], rows->mult[r], rows->shift[r], rows->rounding,
                                   rows->zero_point, rows->lo, rows->hi));
}

void sfi_rows_each(const sfi_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions,
                   void* y, const size_t* at)
{
    if (rows->rounding != SFI_CONTRACT) {
        sfi_rows_rounded(rows, acc, capacity, count, positions, y, at);
        return;
    }
    for (uint32_t p = 0; p < positions; p++)
        sfi_rows_narrow(rows, acc + (size_t)p * capacity, capacity, count, 1, y, at[p], 0);
}
