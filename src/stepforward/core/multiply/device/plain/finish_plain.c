/* From accumulators to outputs at one position, in 32 bits (rows.c has the proof) and in 64. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "multiply/device/device.h"
#include "multiply/matching.h"
#include "multiply/rows.h"
#include "stepforward.h"

#if !SFI_MVE

SFI_INLINE int32_t narrow(const sfi_rows* rows, uint32_t r, int32_t acc, int32_t zero_point, int32_t lo, int32_t hi)
{
    const int32_t a = acc + rows->bias[r], mult = rows->mult[r];
    const int32_t low = (int32_t)((((uint32_t)a & 0xffffu) * (uint32_t)mult) >> 16);
    return sfi_clamp((((a >> 16) * mult + low + rows->half[r]) >> (rows->shift[r] - 16)) + zero_point, lo, hi);
}

void sfi_rows_finish(const sfi_rows* rows, const int32_t* acc, uint32_t count, void* y, size_t at)
{
    if (rows->rounding != SFI_CONTRACT) {
        sfi_rows_finish_rounded(rows, acc, count, y, at);
        return;
    }
    const sfi_rows local = *rows; /* y may not alias it, for all the compiler knows */
    if (local.dtype == SF_S16) {
        int16_t* out = (int16_t*)y + at;
        for (uint32_t r = 0; r < count; r++)
            out[r] = (int16_t)narrow(&local, r, acc[r], local.zero_point, local.lo, local.hi);
    } else {
        int8_t* out = (int8_t*)y + at;
        for (uint32_t r = 0; r < count; r++)
            out[r] = (int8_t)narrow(&local, r, acc[r], local.zero_point, local.lo, local.hi);
    }
}

#endif

__attribute__((noinline)) void sfi_rows_finish_rounded(const sfi_rows* rows, const int32_t* acc, uint32_t count,
                                                       void* y, size_t at)
{
    for (uint32_t r = 0; r < count; r++)
        sfi_store(y, rows->dtype, at + r,
                  sfi_finished_otherwise((int64_t)acc[r] + rows->bias[r], rows->mult[r], rows->shift[r], rows->rounding,
                                         rows->zero_point, rows->lo, rows->hi));
}

void sfi_rows_finish_wide(const sfi_rows* rows, const int64_t* acc, uint32_t count, void* y, size_t at)
{
    if (rows->counts != NULL)
        sfi_counts_add_wide(rows->counts, acc, count);
    for (uint32_t r = 0; r < count; r++)
        sfi_store(y, rows->dtype, at + r,
                  rows->rounding == SFI_CONTRACT
                      ? sfi_requantize_wide(acc[r] + rows->bias[r], rows->mult[r], rows->shift[r], rows->zero_point,
                                            rows->lo, rows->hi)
                      : sfi_finished_otherwise(acc[r] + rows->bias[r], rows->mult[r], rows->shift[r], rows->rounding,
                                               rows->zero_point, rows->lo, rows->hi));
}
