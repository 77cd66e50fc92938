/* Fully connected on a device. Every weight is used once per sample: it is read where it lies if it may be, without a
 * proof that its row is narrow, which would cost more than the multiplication. Where working memory is short, rows are
 * taken some columns at a time, their sums in 64 bits. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "multiply/device/device.h"
#include "multiply/matching.h"
#include "multiply/rows.h"
#include "multiply/stage.h"
#include "operators/ways.h"
#include "stepforward.h"

#define TOGETHER 8u /* groups of four rows that share a widened piece of the input */

/* The input and what is made of it, for one sample. */
typedef struct sample {
    const sfi_call* call;
    const int8_t* x;
    int words; /* inputs have 16 bits */
    size_t at; /* its first output */
    uint32_t rows, length;
} sample;

uint64_t sfi_fully_connected_device_bytes(const sf_program* program, const sf_op* op, int plain)
{
    const sf_tensor* weight = program->tensors + op->weight;
    const uint32_t rows = (uint32_t)weight->dims[0], length = (uint32_t)weight->dims[1];
    const uint64_t piece = sfi_device_tile_bytes(sfi_min_u32(length, SFI_PIECE)),
                   patch = sfi_device_patch_bytes(length);
    const int in_place = plain && weight->dtype == SF_S16 && rows >= SF_DEVICE_ROWS && length % 2 == 0;
    return in_place && patch < piece ? patch : piece;
}

static void widen(const sample* s, uint32_t first, uint32_t count, int16_t* out)
{
    const sfi_widening run = {0, 0, 1, count, s->call->in->zero_point};
    sfi_take_runs(&run, s->words, s->x + (s->words ? 2 * (size_t)first : first), out);
}

static void add_products(const sample* s, const int16_t* w, size_t stride, const int16_t* x, uint32_t count,
                         int64_t* sum)
{
    (s->words ? sfi_dot_rows_words : sfi_dot_rows_wide)(w, stride, x, count, sum);
}

/* Scales of four rows from first_row on; 1 if their rounding terms leave room in 32 bits (see below). */
static int take_scales(sfi_rows* rows, const sfi_call* call, uint32_t first_row)
{
    const size_t step = call->op->rescale_count == 1 ? 0 : 2;
    const int32_t* pair = sfi_rescale_pair(call->pass->program, call->op, step == 0 ? 0 : first_row);
    int fits = sfi_rounding(call->op) == SFI_CONTRACT;
    for (uint32_t r = 0; r < SF_DEVICE_ROWS; r++, pair += step) {
        rows->mult[r] = pair[0];
        rows->shift[r] = pair[1];
        fits &= pair[1] >= 17 && pair[1] <= 46;
        rows->half[r] = fits ? (int32_t)1 << (pair[1] - 17) : 0;
    }
    return fits;
}

/* A row needs no proof where its sum is known: with |acc|, |bias| < 2^29 and half <= 2^29, acc + bias stays below 2^30,
 * and the bracket of rows.c below 2^30 + 2^29 + 2^16. */
static int are_small(const int32_t* acc, const int32_t* bias)
{
    uint32_t any = 0;
    for (uint32_t r = 0; r < SF_DEVICE_ROWS; r++)
        any |= ((uint32_t)acc[r] + (1u << 29)) | ((uint32_t)bias[r] + (1u << 29));
    return any < 1u << 30;
}

/* All rows, read in place, against the whole input. */
static void run_stored(const sample* s, sfi_rows* rows, const int16_t* w, const int32_t* bias, const int16_t* x)
{
    const sfi_call* call = s->call;
    int fits = take_scales(rows, call, 0);
    for (uint32_t r = 0, count; r < s->rows; r += SF_DEVICE_ROWS) {
        const uint32_t first = sfi_device_group(0, r, s->rows, 1, &count);
        const int16_t* words = w + (size_t)first * s->length;
        if (call->op->rescale_count != 1)
            fits = take_scales(rows, call, first);
        rows->bias = (int32_t*)(uintptr_t)(bias + first); /* only read from here on */
        if (s->length <= SFI_BLOCK && !s->words) {
            int32_t acc[SF_DEVICE_ROWS];
            sfi_dot_rows(words, s->length, x, s->length, acc);
            if (fits && are_small(acc, rows->bias)) {
                sfi_rows_finish(rows, acc, SF_DEVICE_ROWS, call->y, s->at + first);
                continue;
            }
        }
        sfi_rows_multiply_wide(rows, words, s->length, x, s->length, SF_DEVICE_ROWS, s->words, call->y, s->at + first);
    }
}

/* The same against pieces of the input, each widened for some groups of rows. */
static void run_stored_pieces(const sample* s, sfi_rows* rows, const int16_t* w, const int32_t* bias)
{
    const sfi_call* call = s->call;
    const size_t room =
        call->work_bytes - (size_t)sfi_rows_bytes(SF_DEVICE_ROWS) - TOGETHER * SF_DEVICE_ROWS * sizeof(int64_t);
    int64_t (*sums)[SF_DEVICE_ROWS] =
        (int64_t (*)[SF_DEVICE_ROWS])(void*)((uint8_t*)call->work + sfi_rows_bytes(SF_DEVICE_ROWS));
    int16_t* x = (int16_t*)(void*)(sums + TOGETHER);
    const uint32_t most = (uint32_t)(room / sizeof *x) & ~7u;
    uint32_t unused;
    for (uint32_t r = 0; r < s->rows; r += TOGETHER * SF_DEVICE_ROWS) {
        const uint32_t end = sfi_min_u32(s->rows, r + TOGETHER * SF_DEVICE_ROWS);
        sfi_fill(sums, 0, TOGETHER * sizeof *sums);
        for (uint32_t k = 0, count; k < s->length; k += count) {
            count = sfi_min_u32(most, s->length - k);
            widen(s, k, count, x);
            for (uint32_t i = r; i < end; i += SF_DEVICE_ROWS) {
                const size_t first = sfi_device_group(0, i, s->rows, 1, &unused);
                add_products(s, w + first * s->length + k, s->length, x, count, sums[(i - r) / SF_DEVICE_ROWS]);
            }
        }
        for (uint32_t i = r; i < end; i += SF_DEVICE_ROWS) {
            const uint32_t first = sfi_device_group(0, i, s->rows, 1, &unused);
            (void)take_scales(rows, call, first);
            rows->bias = (int32_t*)(uintptr_t)(bias + first);
            sfi_rows_finish_wide(rows, sums[(i - r) / SF_DEVICE_ROWS], SF_DEVICE_ROWS, call->y, s->at + first);
        }
    }
}

/* All rows, some staged columns of four at a time. */
static void run_columns(const sample* s)
{
    const sfi_call* call = s->call;
    const size_t room =
        (call->work_bytes - (size_t)sfi_rows_bytes(SF_DEVICE_ROWS)) / (SF_DEVICE_ROWS + 1) / sizeof(int16_t);
    const uint32_t most = (uint32_t)room & ~31u;
    sfi_device_tile tile;
    sfi_device_tile_open(&tile, call->work, most);
    for (uint32_t r = 0, count; r < s->rows; r += SF_DEVICE_ROWS) {
        int64_t sum[SF_DEVICE_ROWS] = {0};
        count = sfi_min_u32(SF_DEVICE_ROWS, s->rows - r);
        sfi_device_rows_open(&tile.rows, call, r, count);
        for (uint32_t k = 0, size; k < s->length; k += size) {
            size = sfi_min_u32(most, s->length - k);
            const sfi_columns columns = {s->length, k, size, 1, 0};
            widen(s, k, size, tile.patch);
            if (size % 2 == 1)
                tile.patch[size] = 0;
            sfi_device_tile_stage_columns(&tile, call, r, count, &columns);
            add_products(s, tile.words, tile.stride, tile.patch, tile.stride, sum);
        }
        sfi_rows_finish_wide(&tile.rows, sum, count, call->y, s->at + r);
        sfi_counts_close(&tile.rows, call, r, 0, count);
    }
}

static void run(const sample* s)
{
    const sfi_call* call = s->call;
    const int in_place = sfi_device_in_place(call, s->rows, s->length),
              fits = sfi_device_patch_bytes(s->length) <= call->work_bytes;
    const int32_t* bias = /* that of a site is its own */
        call->matching == NULL ? sfi_stored_s32(call->pass, (uint32_t)call->op->bias, 0) : NULL;
    sfi_device_tile tile;
    if (!(in_place && fits) && !(in_place && bias != NULL) && sfi_device_tile_bytes(s->length) > call->work_bytes) {
        run_columns(s);
        return;
    }
    sfi_device_tile_open(&tile, call->work, fits ? s->length : 0);
    tile.words_in = s->words;
    if (fits)
        widen(s, 0, s->length, tile.patch);
    if (in_place && bias != NULL) {
        const int16_t* w = sfi_stored_s16(call->pass, (uint32_t)call->op->weight, 0);
        sfi_rows stored = tile.rows;
        stored.zero_point = call->out->zero_point;
        stored.lo = call->op->lo;
        stored.hi = call->op->hi;
        stored.dtype = call->out->dtype;
        stored.rounding = sfi_rounding(call->op);
        if (fits)
            run_stored(s, &stored, w, bias, tile.patch);
        else
            run_stored_pieces(s, &stored, w, bias);
        return;
    }
    for (uint32_t r = 0, count; r < s->rows; r += SF_DEVICE_ROWS) {
        const uint32_t first = sfi_device_group(0, r, s->rows, in_place, &count);
        sfi_device_tile_stage(&tile, call, first, count, 1);
        sfi_device_tile_multiply(&tile, call->y, s->at + first);
        sfi_counts_close(&tile.rows, call, first, r - first, count);
    }
}

void sfi_fully_connected_device(const sfi_call* call)
{
    sample s = {call, (const int8_t*)call->x,        call->in->dtype == SF_S16,
                0,    (uint32_t)call->out->elements, (uint32_t)call->in->elements};
    for (uint32_t i = 0; i < call->n; i++, s.x += call->in->bytes, s.at += s.rows)
        run(&s);
}
