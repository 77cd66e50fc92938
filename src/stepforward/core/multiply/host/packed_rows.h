/* What a host keeps of a tile's rows besides their words. */
#ifndef SFI_PACKED_ROWS_H
#define SFI_PACKED_ROWS_H

#include "base/machine.h"
#include "base/pass.h"
#include "multiply/rows.h"

/* The largest magnitude that a sum of a row, without its bias, can have on the way: X = x - zero lies in [-below,
 * above] with below, above >= 0, so with the sums `up` of the positive and `down` of the negative weights' magnitudes
 * every partial sum is at most up*above + down*below and at least -(up*below + down*above). */
SFI_INLINE int64_t sfi_reach(int64_t up, int64_t down, int64_t zero)
{
    const int64_t below = 128 + zero, above = 127 - zero, high = up * above + down * below,
                  low = up * below + down * above;
    return high > low ? high : low;
}

/* The rows of a tile as they lie in its packed memory. */
typedef struct sfi_packed_rows {
    sfi_rows rows;
    int64_t* reach;       /* of the words alone (sfi_reach), which sfi_rows_scale() starts from */
    uint8_t* transformed; /* of every panel: whether its words are those of winograd.h */
    int64_t* surplus;     /* of a row of bytes: what its sum has too much, for the band holds x ^ byte_flip and not x -
                             zero; else 0 */
    uint32_t count;
} sfi_packed_rows;

uint64_t sfi_packed_rows_bytes(uint32_t capacity);

/* Lay the arrays out after the structure, for `count` rows. */
void sfi_packed_rows_open(sfi_packed_rows* packed, uint32_t capacity, uint32_t count);

/* Biases and scales; the bounds in reach[] stay as they are. twin: NULL, or the rows of the probe of opposite sign. */
void sfi_packed_rows_prepare(sfi_packed_rows* packed, sfi_packed_rows* twin, const sfi_call* call, uint32_t first_row);

/* Rows from row `first` on. */
SFI_INLINE sfi_rows sfi_rows_from(const sfi_rows* rows, uint32_t first)
{
    sfi_rows r = *rows;
    r.bias += first;
    r.mult += first;
    r.half += first;
    r.shift += first;
    r.reach += first;
    return r;
}

#endif
