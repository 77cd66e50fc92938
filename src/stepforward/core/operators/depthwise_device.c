/* Depthwise convolution on a device: the words of up to sixteen channels, then one output position after the other. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "multiply/device/device.h"
#include "multiply/matching.h"
#include "multiply/rows.h"
#include "multiply/stage.h"
#include "operators/ways.h"
#include "random/draw.h"
#include "stepforward.h"

#define CHANNELS 16u
#define MANY_TAPS 32u /* beyond which half as many channels make a tile */

typedef struct tile {
    sfi_rows rows;
    int16_t* staged;      /* [tap][channel of the tile] */
    const int16_t* words; /* of the first tap: staged, or where they are stored */
    size_t step;          /* from one tap to the next */
    uint32_t count;
} tile;

static uint32_t tile_channels(uint32_t channels, uint32_t most) { return sfi_min_u32(most, (channels + 3u) & ~3u); }

static uint64_t bytes_of(uint32_t capacity, uint32_t taps, int in_place)
{
    return sfi_rows_bytes(capacity) + (in_place ? 0 : (uint64_t)capacity * taps * sizeof(int16_t));
}

uint64_t sfi_depthwise_device_bytes(const sf_program* program, const sf_op* op, int plain)
{
    const sf_tensor* weight = program->tensors + op->weight;
    const sfi_window* w = sfi_window_of(program, op);
    const uint32_t channels = (uint32_t)weight->dims[2], taps = (uint32_t)w->kernel_h * (uint32_t)w->kernel_w;
    const int in_place = plain && weight->dtype == SF_S16;
    return bytes_of(tile_channels(channels, taps > MANY_TAPS && !in_place ? CHANNELS / 2 : CHANNELS), taps, in_place);
}

static void stage(tile* t, const sfi_call* call, uint32_t first)
{
    const sfi_window* w = sfi_window_of(call->pass->program, call->op);
    const uint32_t channels = (uint32_t)call->out->dims[2], taps = (uint32_t)(w->kernel_h * w->kernel_w);
    const int16_t* stored = sfi_stored_s16(call->pass, (uint32_t)call->op->weight, first);
    const sfi_source source = sfi_source_of(call->pass, (uint32_t)call->op->weight);
    t->words = stored != NULL ? stored : t->staged;
    t->step = stored != NULL ? channels : t->count;
    sfi_fill(t->rows.reach, 0, t->count * sizeof *t->rows.reach);
    for (uint32_t tap = 0; tap < taps; tap++) {
        const int16_t* words = t->words + (size_t)tap * t->step;
        for (uint32_t i = 0, size; stored == NULL && i < t->count; i += size) {
            const uint32_t e = tap * channels + first + i;
            size = sfi_min_u32(SFI_CHUNK - e % SFI_CHUNK, t->count - i);
            sfi_stage_s16(&source, e, size, t->staged + (size_t)tap * t->count + i);
        }
        for (uint32_t c = 0; c < t->count; c++)
            t->rows.reach[c] += words[c] < 0 ? -words[c] : words[c];
    }
    sfi_rows_prepare(&t->rows, call, first, t->count);
    t->rows.counts = NULL;
    if (call->matching != NULL)
        sfi_counts_open(&t->rows, call, first, t->count, 1);
}

static void sum_wide(const sfi_device_window* v, uint32_t count, int64_t* acc)
{
    for (uint32_t c = 0; c < count; c++) {
        acc[c] = 0;
        for (int32_t ky = 0; ky < v->taps_y; ky++)
            for (int32_t kx = 0; kx < v->taps_x; kx++)
                acc[c] += (int64_t)v->w[(size_t)ky * v->w_row + (size_t)kx * v->w_step + c] *
                          (v->x[(size_t)ky * v->x_row + (size_t)kx * v->x_step + c] - v->zero);
    }
}

/* The output of one position, all channels of the tile. */
static void finish(const tile* t, const sfi_device_window* v, void* y, size_t at)
{
    int32_t narrow[CHANNELS];
    int64_t wide[CHANNELS];
    if (t->rows.narrow) {
        sfi_device_window_sum(v, t->count, narrow);
        sfi_rows_finish(&t->rows, narrow, t->count, y, at);
    } else if (t->rows.counts != NULL && t->rows.counts->narrow) {
        sfi_device_window_sum(v, t->count, narrow);
        sfi_counts_add(t->rows.counts, narrow, t->count);
        sfi_rows_finish(&t->rows, narrow, t->count, y, at);
    } else {
        sum_wide(v, t->count, wide);
        sfi_rows_finish_wide(&t->rows, wide, t->count, y, at);
    }
}

/* One sample; x and y are those of the sample, at is the first output. */
static void run(const tile* t, const sfi_call* call, const int8_t* x, size_t at)
{
    const sfi_window* w = sfi_window_of(call->pass->program, call->op);
    const sf_tensor *in = call->in, *out = call->out;
    const size_t channels = (size_t)in->dims[2], line = (size_t)in->dims[1] * channels;
    sfi_device_window v = {0};
    v.w_row = (size_t)w->kernel_w * t->step;
    v.w_step = t->step;
    v.x_row = (size_t)w->dilation_h * line;
    v.x_step = (size_t)w->dilation_w * channels;
    v.zero = in->zero_point;
    v.w = t->words; /* also of a window that lies in the padding: it has no taps, and none are read */
    v.x = x;
    for (int32_t oy = 0; oy < out->dims[0]; oy++) {
        const int32_t y0 = oy * w->stride_h - w->pad_top;
        int32_t ky0, ky1;
        sfi_taps(y0, w->dilation_h, w->kernel_h, in->dims[0], &ky0, &ky1);
        for (int32_t ox = 0; ox < out->dims[1]; ox++, at += channels) {
            const int32_t x0 = ox * w->stride_w - w->pad_left;
            int32_t kx0, kx1;
            sfi_taps(x0, w->dilation_w, w->kernel_w, in->dims[1], &kx0, &kx1);
            v.taps_y = kx1 > kx0 ? ky1 - ky0 : 0;
            v.taps_x = kx1 - kx0;
            if (v.taps_y > 0) {
                v.w = t->words + (size_t)ky0 * v.w_row + (size_t)kx0 * v.w_step;
                v.x = x + (size_t)(y0 + ky0 * w->dilation_h) * line + (size_t)(x0 + kx0 * w->dilation_w) * channels;
            }
            finish(t, &v, call->y, at);
        }
    }
}

void sfi_depthwise_device(const sfi_call* call)
{
    const sfi_window* w = sfi_window_of(call->pass->program, call->op);
    const uint32_t channels = (uint32_t)call->out->dims[2], taps = (uint32_t)(w->kernel_h * w->kernel_w);
    const int in_place = sfi_stored_s16(call->pass, (uint32_t)call->op->weight, 0) != NULL;
    uint32_t capacity = tile_channels(channels, CHANNELS);
    if (bytes_of(capacity, taps, in_place) > call->work_bytes)
        capacity = tile_channels(channels, CHANNELS / 2);
    tile t;
    t.staged = (int16_t*)(void*)sfi_rows_carve(&t.rows, (uint8_t*)call->work, capacity);
    for (uint32_t c = 0; c < channels; c += capacity) {
        t.count = sfi_min_u32(capacity, channels - c);
        stage(&t, call, c);
        for (uint32_t s = 0; s < call->n; s++)
            run(&t, call, (const int8_t*)call->x + (size_t)s * (size_t)call->in->elements + c,
                (size_t)s * (size_t)call->out->elements + c);
        sfi_counts_close(&t.rows, call, c, 0, t.count);
    }
}
