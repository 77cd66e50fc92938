/* How the rows of a kernel (its output channels) turn accumulators into outputs. */
#include "base/pass.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "multiply/matching.h"
#include "multiply/rows.h"
#include "multiply/stage.h"
#include "stepforward.h"

uint64_t sfi_rows_bytes(uint32_t rows) { return (uint64_t)rows * (4 * sizeof(int32_t) + sizeof(int64_t)); }

/* Lay the arrays out in memory (8-byte aligned); returns what follows them. */
uint8_t* sfi_rows_carve(sfi_rows* rows, uint8_t* memory, uint32_t count)
{
    rows->reach = (int64_t*)(void*)memory;
    rows->bias = (int32_t*)(void*)(memory + (size_t)count * sizeof(int64_t));
    rows->mult = rows->bias + count;
    rows->half = rows->mult + count;
    rows->shift = rows->half + count;
    return memory + (size_t)sfi_rows_bytes(count);
}

/* The biases and scales of rows first_row .. first_row+count-1. On entry reach[] holds the sum of |w| of each row,
 * or another bound of its accumulators in units of the largest |X|.
 *
 * A row is narrow when everything fits into int32: the accumulator with its bias (reach), and the rounded product,
 * which is formed without its low half: with acc = h*2^16 + l, 0 <= l < 2^16, and shift >= 17, (acc*mult + 2^(shift-1))
 * >> shift  =  (h*mult + ((l*mult) >> 16) + 2^(shift-17)) >> (shift-16) because 2^(shift-1) is a multiple of 2^16. The
 * bracket is floor(acc*mult / 2^16) + 2^(shift-17).
 *
 * Narrow rows are fused when their outputs are bytes and zero_point * 2^(shift-16), a multiple of the divisor, can be
 * added inside the bracket as well: then kernels for hosts need no step after the shift but to saturate. */
void sfi_rows_prepare(sfi_rows* rows, const sfi_call* call, uint32_t first_row, uint32_t count)
{
    const int32_t zero = call->in->zero_point;
    sfi_stage_s32(call->pass, (uint32_t)call->op->bias, first_row, count, rows->bias);
    if (call->matching != NULL)
        sfi_matched_biases(call->matching, first_row, count, rows->bias);
    sfi_rows_scale(rows, call, first_row, count, 127 - zero > 128 + zero ? 127 - zero : 128 + zero);
}

/* Whether sums up to `reach` can be rescaled and get their zero point, of at most `magnitude`, within int32; shift
 * >= 17. */
static int fits(int64_t reach, int32_t mult, int32_t shift, int32_t magnitude)
{
    return reach <= INT32_MAX && /* at most 2^31 + 2^30 + 127 * 2^33 */
           ((reach * mult) >> 16) + ((int64_t)1 << (shift - 17)) + ((int64_t)magnitude << (shift - 16)) + 65538 <=
               INT32_MAX;
}

#if __STDC_HOSTED__
/* Whether a sum that was rounded once leaves room for the second rounding, and then for the zero point, of at most
 * `magnitude`: a channel that says nothing has a bias of 2^30 and a shift of 62. A scaled float has to be far from
 * where an int32 ends. */
static int leaves_room(int32_t rounding, int64_t reach, int32_t mult, int32_t shift, int32_t magnitude)
{
    if (rounding == SFI_FLOAT)
        return (reach * mult) >> shift < 1 << 30;
    return rounding == SFI_TWICE && shift >= 31 &&
           ((reach * mult) >> 31) + 1 + ((int64_t)1 << (shift - 31) >> 1) + magnitude <= INT32_MAX;
}
#endif

/* magnitude: of the output's zero point. */
static void limit(sfi_rows* rows, int64_t reach, int32_t mult, int32_t shift, int32_t magnitude)
{
    if (rows->rounding != SFI_CONTRACT) { /* sums in int32, in vectors where nothing is shifted left */
        rows->narrow = rows->narrow && reach <= INT32_MAX && (rows->rounding == SFI_FLOAT || shift >= 31);
#if __STDC_HOSTED__
        rows->fused = rows->fused && rows->narrow && leaves_room(rows->rounding, reach, mult, shift, magnitude);
        rows->fused_four = rows->fused_four && rows->fused && 4 * reach <= INT32_MAX;
#endif
        return;
    }
    rows->narrow = rows->narrow && shift >= 17 && fits(reach, mult, shift, 0);
#if __STDC_HOSTED__
    rows->fused = rows->fused && rows->narrow && fits(reach, mult, shift, magnitude);
    rows->fused_four = rows->fused_four && rows->fused && fits(4 * reach, mult, shift + 2, magnitude);
#else
    (void)magnitude;
#endif
}

/* The rounding term of 32 bits; or the scale as the bits of a float. */
static int32_t half_of(const int32_t* pair, int32_t rounding)
{
    if (rounding == SFI_FLOAT)
        return pair[0] == 0 ? 0 : ((150 - pair[1]) << 23) + (pair[0] - (1 << 23));
    return pair[1] >= 17 && pair[1] <= 47 ? (int32_t)1 << (pair[1] - 17) : 0;
}

void sfi_rows_scale(sfi_rows* rows, const sfi_call* call, uint32_t first_row, uint32_t count, int32_t unit)
{
    const sf_op* op = call->op;
    const int32_t magnitude = call->out->zero_point < 0 ? -call->out->zero_point : call->out->zero_point;
    const int shared = op->rescale_count == 1,
              once = __STDC_HOSTED__ && shared && call->matching == NULL; /* the row with the largest reach decides */
    int64_t most = 0;
    rows->zero_point = call->out->zero_point;
    rows->lo = op->lo;
    rows->hi = op->hi;
    rows->dtype = call->out->dtype;
    rows->narrow = 1;
    rows->rounding = sfi_rounding(op);
    rows->fused = rows->fused_four = !sfi_for_device(call->row_tile) && rows->dtype == SF_S8;
    for (uint32_t r = 0; r < count; r++) {
        const int32_t* pair = sfi_rescale_pair(call->pass->program, op, shared ? 0 : first_row + r);
        const int64_t bias = rows->bias[r], reach = rows->reach[r] * unit + (bias < 0 ? -bias : bias);
        int32_t matched[2];
        if (call->matching != NULL)
            pair = sfi_matched_pair(call->matching, first_row + r, pair, matched);
        rows->mult[r] = pair[0];
        rows->shift[r] = pair[1];
        rows->half[r] = half_of(pair, rows->rounding);
        rows->reach[r] = reach;
        most = reach > most ? reach : most;
        if (!once || r + 1 == count)
            limit(rows, once ? most : reach, pair[0], pair[1], magnitude);
    }
}
