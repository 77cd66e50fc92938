/* Four weight rows on a device: staged only where that is needed, whole or some columns at a time, and multiplied with
 * one patch after the other. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "multiply/device/device.h"
#include "multiply/matching.h"
#include "multiply/rows.h"
#include "multiply/stage.h"
#include "random/draw.h"
#include "stepforward.h"

/* The proof that rows are narrow reads every weight once more: not worth it for so few patches. */
#define FEW_USES 4

static uint64_t word_bytes(uint32_t length) { return ((uint64_t)length + 1) / 2 * 2 * sizeof(int16_t); }

uint64_t sfi_device_tile_bytes(uint32_t length)
{
    return sfi_rows_bytes(SF_DEVICE_ROWS) + (SF_DEVICE_ROWS + 1) * word_bytes(length);
}

uint64_t sfi_device_patch_bytes(uint32_t length) { return sfi_rows_bytes(SF_DEVICE_ROWS) + word_bytes(length); }

void sfi_device_tile_open(sfi_device_tile* tile, void* memory, uint32_t length)
{
    tile->length = length;
    tile->stride = (length + 1) / 2 * 2;
    tile->rows.counts = NULL;
    tile->words_in = 0;
    tile->patch = (int16_t*)(void*)sfi_rows_carve(&tile->rows, (uint8_t*)memory, SF_DEVICE_ROWS);
    tile->staged = tile->patch + tile->stride;
    sfi_fill(tile->patch, 0, tile->stride * sizeof *tile->patch);
}

int sfi_device_in_place(const sfi_call* call, uint32_t rows, uint32_t length)
{
    return rows >= SF_DEVICE_ROWS && length % 2 == 0 &&
           sfi_stored_s16(call->pass, (uint32_t)call->op->weight, 0) != NULL;
}

/* Elements are fetched in pieces that share their random numbers; a piece may span rows. */
static void stage(sfi_device_tile* tile, const sfi_call* call, uint32_t first_row, uint32_t count)
{
    const sfi_source source = sfi_source_of(call->pass, (uint32_t)call->op->weight);
    const uint32_t first = first_row * tile->length, end = first + count * tile->length;
    int16_t piece[SFI_CHUNK];
    if (count < SF_DEVICE_ROWS || tile->stride != tile->length)
        sfi_fill(tile->staged, 0, SF_DEVICE_ROWS * tile->stride * sizeof *tile->staged);
    int16_t* to = tile->staged;
    uint32_t k = 0;
    for (uint32_t e = first, size; e < end; e += size) {
        size = sfi_min_u32(SFI_CHUNK - e % SFI_CHUNK, end - e);
        if (tile->stride == tile->length) {
            sfi_stage_s16(&source, e, size, tile->staged + (e - first));
            continue;
        }
        sfi_stage_s16(&source, e, size, piece);
        for (uint32_t i = 0; i < size; i++) {
            *to++ = piece[i];
            if (++k == tile->length) {
                k = 0;
                to++;
            }
        }
    }
}

static int64_t sum_of_magnitudes(const int16_t* w, uint32_t count)
{
    int64_t total = 0;
    for (uint32_t k = 0, end; k < count; k = end) {
        int32_t sum = 0;
        end = sfi_min_u32(k + 0x8000u, count);
        for (uint32_t i = k; i < end; i++)
            sum += w[i] < 0 ? -w[i] : w[i];
        total += sum;
    }
    return total;
}

/* The constants of a site in place of the base's. */
static void match(sfi_rows* rows, const sfi_call* call, uint32_t first_row, uint32_t count)
{
    int32_t matched[2];
    sfi_matched_biases(call->matching, first_row, count, rows->bias);
    for (uint32_t r = 0; r < count; r++) {
        const int32_t pair[2] = {rows->mult[r], rows->shift[r]};
        const int32_t* changed = sfi_matched_pair(call->matching, first_row + r, pair, matched);
        rows->mult[r] = changed[0];
        rows->shift[r] = changed[1];
    }
    sfi_counts_open(rows, call, first_row, count, 0);
}

void sfi_device_rows_open(sfi_rows* rows, const sfi_call* call, uint32_t first_row, uint32_t count)
{
    const sf_op* op = call->op;
    const int32_t* pair = sfi_rescale_pair(call->pass->program, op, op->rescale_count == 1 ? 0 : first_row);
    const size_t step = op->rescale_count == 1 ? 0 : 2;
    rows->zero_point = call->out->zero_point;
    rows->lo = op->lo;
    rows->hi = op->hi;
    rows->dtype = call->out->dtype;
    rows->rounding = sfi_rounding(op);
    rows->narrow = 0;
    sfi_stage_s32(call->pass, (uint32_t)op->bias, first_row, count, rows->bias);
    for (uint32_t r = 0; r < count; r++, pair += step) {
        rows->mult[r] = pair[0];
        rows->shift[r] = pair[1];
    }
    if (call->matching != NULL)
        match(rows, call, first_row, count);
}

void sfi_device_tile_stage(sfi_device_tile* tile, const sfi_call* call, uint32_t first_row, uint32_t count, size_t uses)
{
    tile->count = count;
    tile->words = NULL;
    if (count == SF_DEVICE_ROWS && tile->stride == tile->length)
        tile->words = sfi_stored_s16(call->pass, (uint32_t)call->op->weight, first_row * tile->length);
    if (tile->words == NULL) {
        stage(tile, call, first_row, count);
        tile->words = tile->staged;
    }
    if (uses <= FEW_USES || tile->words_in) {
        sfi_device_rows_open(&tile->rows, call, first_row, count);
        return;
    }
    for (uint32_t r = 0; r < count; r++)
        tile->rows.reach[r] = sum_of_magnitudes(tile->words + (size_t)r * tile->stride, tile->length);
    sfi_rows_prepare(&tile->rows, call, first_row, count);
    if (call->matching != NULL)
        sfi_counts_open(&tile->rows, call, first_row, count, 1);
}

/* Rows that are narrow and add to sums. */
__attribute__((noinline)) static void multiply_counted(const sfi_device_tile* tile, void* y, size_t at)
{
    int32_t acc[SF_DEVICE_ROWS];
    sfi_dot_rows(tile->words, tile->stride, tile->patch, tile->stride, acc);
    sfi_counts_add(tile->rows.counts, acc, tile->count);
    sfi_rows_finish(&tile->rows, acc, tile->count, y, at);
}

void sfi_device_tile_multiply(const sfi_device_tile* tile, void* y, size_t at)
{
    if (!tile->rows.narrow) {
        if (tile->rows.counts != NULL && tile->rows.counts->narrow)
            multiply_counted(tile, y, at);
        else
            sfi_rows_multiply_wide(&tile->rows, tile->words, tile->stride, tile->patch, tile->stride, tile->count,
                                   tile->words_in, y, at);
        return;
    }
    int32_t acc[SF_DEVICE_ROWS];
    sfi_dot_rows(tile->words, tile->stride, tile->patch, tile->stride, acc);
    sfi_rows_finish(&tile->rows, acc, tile->count, y, at);
}

/* Blocks of SFI_BLOCK products in int32 (256 * 32768 * 255 < 2^31; contract, section 3). */
void sfi_dot_rows_wide(const int16_t* w, size_t stride, const int16_t* x, uint32_t count, int64_t sum[SF_DEVICE_ROWS])
{
    for (uint32_t k = 0; k < count; k += SFI_BLOCK) {
        int32_t acc[SF_DEVICE_ROWS];
        sfi_dot_rows(w + k, stride, x + k, sfi_min_u32(SFI_BLOCK, count - k), acc);
        for (uint32_t r = 0; r < SF_DEVICE_ROWS; r++)
            sum[r] += acc[r];
    }
}

void sfi_dot_rows_words(const int16_t* w, size_t stride, const int16_t* x, uint32_t count, int64_t sum[SF_DEVICE_ROWS])
{
    for (uint32_t r = 0; r < SF_DEVICE_ROWS; r++, w += stride)
        for (uint32_t k = 0; k < count; k++)
            sum[r] += (int64_t)w[k] * x[k];
}

void sfi_copy_runs(const sfi_widening* how, const int8_t* x, int16_t* out)
{
    for (uint32_t run = 0; run < how->runs; run++)
        sfi_copy(out + run * how->out_step, x + run * how->x_step, how->count * sizeof *out);
}

void sfi_rows_multiply_wide(const sfi_rows* rows, const int16_t* w, size_t stride, const int16_t* x, uint32_t length,
                            uint32_t count, int words_in, void* y, size_t at)
{
    int64_t sum[SF_DEVICE_ROWS] = {0};
    (words_in ? sfi_dot_rows_words : sfi_dot_rows_wide)(w, stride, x, length, sum);
    sfi_rows_finish_wide(rows, sum, count, y, at);
}

void sfi_device_tile_stage_columns(sfi_device_tile* tile, const sfi_call* call, uint32_t first_row, uint32_t count,
                                   const sfi_columns* columns)
{
    const sfi_source source = sfi_source_of(call->pass, (uint32_t)call->op->weight);
    tile->count = count;
    tile->length = columns->run * columns->runs;
    tile->stride = (tile->length + 1) / 2 * 2;
    tile->words = tile->staged;
    if (count < SF_DEVICE_ROWS || tile->stride != tile->length)
        sfi_fill(tile->staged, 0, SF_DEVICE_ROWS * tile->stride * sizeof *tile->staged);
    for (uint32_t r = 0; r < count; r++) {
        int16_t* to = tile->staged + (size_t)r * tile->stride;
        uint32_t e = (first_row + r) * columns->row_length + columns->first;
        for (uint32_t run = 0; run < columns->runs; run++, e += columns->step)
            for (uint32_t i = 0, size; i < columns->run; i += size) {
                size = sfi_min_u32(SFI_CHUNK - (e + i) % SFI_CHUNK, columns->run - i);
                sfi_stage_s16(&source, e + i, size, to);
                to += size;
            }
    }
}
