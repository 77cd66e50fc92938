/* Fully connected on a device. Every weight is used once per sample: it is read where it lies if it may be, without a proof that
 * its row is narrow, which would cost more than the multiplication. */
#include "device.h"

/* The dot products of four rows, in blocks of SF_BLOCK products in int32 (256 * 32768 * 255 < 2^31; contract, section 3). */
static void dot_blocks(const int16_t* w, const int16_t* x, uint32_t length, int64_t* acc)
{
    int32_t part[SF_DEVICE_ROWS];
    sf_dot_rows(w, length, x, sf_min_u32(SF_BLOCK, length), part);
    for (uint32_t r = 0; r < SF_DEVICE_ROWS; r++)
        acc[r] = part[r];
    for (uint32_t k = SF_BLOCK; k < length; k += SF_BLOCK) {
        sf_dot_rows(w + k, length, x + k, sf_min_u32(SF_BLOCK, length - k), part);
        for (uint32_t r = 0; r < SF_DEVICE_ROWS; r++)
            acc[r] += part[r];
    }
}

/* Scales of four rows from first_row on; 1 if their rounding terms leave room in 32 bits (see below). */
static int take_scales(sf_rows* rows, const sf_call* call, uint32_t first_row)
{
    const size_t step = call->op->rescale_count == 1 ? 0 : 2;
    const int32_t* pair = sf_rescale_pair(call->pass->program, call->op, step == 0 ? 0 : first_row);
    int fits = 1;
    for (uint32_t r = 0; r < SF_DEVICE_ROWS; r++, pair += step) {
        rows->mult[r] = pair[0];
        rows->shift[r] = pair[1];
        fits &= pair[1] >= 17 && pair[1] <= 46;
        rows->half[r] = fits ? (int32_t)1 << (pair[1] - 17) : 0;
    }
    return fits;
}

/* A row needs no proof where its sum is known: with |acc|, |bias| < 2^29 and half <= 2^29, acc + bias stays below 2^30, and the
 * bracket of requantize.c below 2^30 + 2^29 + 2^16. */
static int are_small(const int32_t* acc, const int32_t* bias)
{
    uint32_t any = 0;
    for (uint32_t r = 0; r < SF_DEVICE_ROWS; r++)
        any |= ((uint32_t)acc[r] + (1u << 29)) | ((uint32_t)bias[r] + (1u << 29));
    return any < 1u << 30;
}

/* As many whole groups of rows as can be read in place, for one sample; returns how many rows that were. */
static uint32_t run_stored(const sf_call* call, sf_rows* rows, const int16_t* x, size_t at)
{
    const sf_op* op = call->op;
    const uint32_t count = (uint32_t)call->out->elements & ~(SF_DEVICE_ROWS - 1), length = (uint32_t)call->in->elements;
    const int16_t* w = sf_stored_s16(call->pass, (uint32_t)op->weight, 0);
    const int32_t* bias = sf_stored_s32(call->pass, (uint32_t)op->bias, 0);
    if (w == NULL || bias == NULL || length % 2 != 0)
        return 0;
    rows->zero_point = call->out->zero_point;
    rows->lo = op->lo;
    rows->hi = op->hi;
    rows->dtype = call->out->dtype;
    int fits = take_scales(rows, call, 0);
    for (uint32_t r = 0; r < count; r += SF_DEVICE_ROWS, w += (size_t)SF_DEVICE_ROWS * length, bias += SF_DEVICE_ROWS) {
        int32_t acc[SF_DEVICE_ROWS];
        int64_t wide[SF_DEVICE_ROWS];
        if (op->rescale_count != 1)
            fits = take_scales(rows, call, r);
        rows->bias = (int32_t*)(uintptr_t)bias; /* only read from here on */
        if (length <= SF_BLOCK) {
            sf_dot_rows(w, length, x, length, acc);
            if (fits && are_small(acc, bias)) {
                sf_rows_finish(rows, acc, SF_DEVICE_ROWS, call->y, at + r);
                continue;
            }
        }
        dot_blocks(w, x, length, wide);
        sf_rows_finish_wide(rows, wide, SF_DEVICE_ROWS, call->y, at + r);
    }
    return count;
}

void sf_fully_connected_s8_device(const sf_call* call)
{
    const uint32_t rows = (uint32_t)call->out->elements, length = (uint32_t)call->in->elements;
    const int8_t* x = (const int8_t*)call->x;
    const sf_widening whole = {0, 0, 1, length, call->in->zero_point};
    for (uint32_t s = 0; s < call->n; s++, x += length) {
        const size_t at = (size_t)s * rows;
        sf_device_tile tile;
        sf_device_tile_open(&tile, call->work, length);
        sf_widen_runs(&whole, x, tile.patch);
        sf_rows stored = tile.rows;
        for (uint32_t r = run_stored(call, &stored, tile.patch, at); r < rows; r += SF_DEVICE_ROWS) {
            sf_device_tile_stage(&tile, call, r, sf_min_u32(SF_DEVICE_ROWS, rows - r), 1);
            sf_device_tile_multiply(&tile, call->y, at + r);
        }
    }
}
