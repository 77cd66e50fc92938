/* How rows (output channels) turn accumulators into outputs. */
#ifndef SFI_ROWS_H
#define SFI_ROWS_H

#include "base/pass.h"

typedef struct sfi_counts sfi_counts;

typedef struct sfi_rows {
    int32_t* bias;
    int32_t* mult;
    int32_t* half; /* rounding term of the 32-bit path */
    int32_t* shift;
    int64_t* reach; /* largest magnitude an accumulator of this row can have */
    int32_t zero_point;
    int32_t lo;
    int32_t hi;
    int32_t dtype;
    int32_t rounding;   /* base/rounding.h; where it is float32, half[] holds the scale as the bits of a float */
    int32_t narrow;     /* the whole row set is proven to stay inside int32 */
    int32_t fused;      /* and so it does with the zero point added before the shift; hosts only */
    int32_t fused_four; /* and all that for four times the sums, shifted by two more (winograd.h) */
    sfi_counts* counts; /* devices: what these rows add to (multiply/matching.h), or NULL. Then narrow is 0 */
} sfi_rows;

uint64_t sfi_rows_bytes(uint32_t rows);
uint8_t* sfi_rows_carve(sfi_rows* rows, uint8_t* memory, uint32_t count);
void sfi_rows_prepare(sfi_rows* rows, const sfi_call* call, uint32_t first_row, uint32_t count);
/* The same, where bias[] is staged and reach[] counts in units of `unit`. */
void sfi_rows_scale(sfi_rows* rows, const sfi_call* call, uint32_t first_row, uint32_t count, int32_t unit);

#endif
