/* Depthwise convolution on a device: the words of up to sixteen channels, then one output position after the other. */
#include "device.h"

#define CHANNELS 16u

typedef struct tile {
    sf_rows rows;
    int16_t* words; /* [tap][channel of the tile] */
    uint32_t count;
} tile;

static uint32_t tile_channels(uint32_t channels) { return sf_min_u32(CHANNELS, (channels + 3u) & ~3u); }

uint64_t sf_depthwise_device_bytes(uint32_t channels, uint32_t taps)
{
    return sf_rows_bytes(tile_channels(channels)) + (uint64_t)tile_channels(channels) * taps * sizeof(int16_t);
}

static void stage(tile* t, const sf_call* call, uint32_t first)
{
    const uint32_t channels = (uint32_t)call->out->dims[2], taps = (uint32_t)(call->op->kernel_h * call->op->kernel_w);
    sf_fill(t->rows.reach, 0, t->count * sizeof *t->rows.reach);
    for (uint32_t tap = 0; tap < taps; tap++) {
        int16_t* words = t->words + (size_t)tap * t->count;
        for (uint32_t i = 0, size; i < t->count; i += size) {
            const uint32_t e = tap * channels + first + i;
            size = sf_min_u32(SF_CHUNK - e % SF_CHUNK, t->count - i);
            sf_stage_s16(call->pass, (uint32_t)call->op->weight, e, size, words + i);
        }
        for (uint32_t c = 0; c < t->count; c++)
            t->rows.reach[c] += words[c] < 0 ? -words[c] : words[c];
    }
    sf_rows_prepare(&t->rows, call, first, t->count);
}

static void sum_wide(const sf_device_window* v, uint32_t count, int64_t* acc)
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
static void finish(const tile* t, const sf_device_window* v, void* y, size_t at)
{
    int32_t narrow[CHANNELS];
    int64_t wide[CHANNELS];
    if (t->rows.narrow) {
        sf_device_window_sum(v, t->count, narrow);
        sf_rows_finish(&t->rows, narrow, t->count, y, at);
    } else {
        sum_wide(v, t->count, wide);
        sf_rows_finish_wide(&t->rows, wide, t->count, y, at);
    }
}

/* One sample; x and y are those of the sample, at is the first output. */
static void run(const tile* t, const sf_call* call, const int8_t* x, size_t at)
{
    const sf_op* op = call->op;
    const sf_tensor *in = call->in, *out = call->out;
    const size_t channels = (size_t)in->dims[2], line = (size_t)in->dims[1] * channels;
    sf_device_window v = {0};
    v.w_row = (size_t)op->kernel_w * t->count;
    v.w_step = t->count;
    v.x_row = (size_t)op->dilation_h * line;
    v.x_step = (size_t)op->dilation_w * channels;
    v.zero = in->zero_point;
    for (int32_t oy = 0; oy < out->dims[0]; oy++) {
        const int32_t y0 = oy * op->stride_h - op->pad_top;
        int32_t ky0, ky1;
        sf_taps(y0, op->dilation_h, op->kernel_h, in->dims[0], &ky0, &ky1);
        for (int32_t ox = 0; ox < out->dims[1]; ox++, at += channels) {
            const int32_t x0 = ox * op->stride_w - op->pad_left;
            int32_t kx0, kx1;
            sf_taps(x0, op->dilation_w, op->kernel_w, in->dims[1], &kx0, &kx1);
            v.taps_y = kx1 > kx0 ? ky1 - ky0 : 0;
            v.taps_x = kx1 - kx0;
            if (v.taps_y > 0) {
                v.w = t->words + (size_t)ky0 * v.w_row + (size_t)kx0 * v.w_step;
                v.x = x + (size_t)(y0 + ky0 * op->dilation_h) * line + (size_t)(x0 + kx0 * op->dilation_w) * channels;
            }
            finish(t, &v, call->y, at);
        }
    }
}

void sf_depthwise_s8_device(const sf_call* call)
{
    const uint32_t channels = (uint32_t)call->out->dims[2], capacity = tile_channels(channels);
    tile t;
    t.words = (int16_t*)(void*)sf_rows_carve(&t.rows, (uint8_t*)call->work, capacity);
    for (uint32_t c = 0; c < channels; c += capacity) {
        t.count = sf_min_u32(capacity, channels - c);
        stage(&t, call, c);
        for (uint32_t s = 0; s < call->n; s++)
            run(&t, call, (const int8_t*)call->x + (size_t)s * (size_t)call->in->elements + c,
                (size_t)s * (size_t)call->out->elements + c);
    }
}
