/* Depthwise convolution: one input channel per output channel, vectorised over the channels. */
#include "depthwise_s8.h"
#include "device.h"

#define LANES 16 /* channels of the smallest tile */

typedef struct depthwise {
    sf_rows rows;
    int16_t* words; /* [tap][channel of the tile] */
    int64_t* acc;   /* or int32, [position][capacity] */
    uint32_t capacity;
    uint32_t positions; /* finished together */
} depthwise;

static uint32_t tile_channels(uint32_t row_tile, uint32_t channels)
{
    return sf_min_u32(sf_max_u32(row_tile, LANES), (channels + 3u) & ~3u);
}

static uint32_t tile_positions(uint32_t row_tile) { return row_tile < SF_PANEL ? 1 : SF_PATCHES; }

uint64_t sf_depthwise_bytes(uint32_t row_tile, uint32_t channels, uint32_t taps)
{
    if (row_tile == SF_DEVICE_ROWS)
        return sf_depthwise_device_bytes(channels, taps);
    const uint64_t tile = tile_channels(row_tile, channels);
    return sf_rows_bytes((uint32_t)tile) + tile_positions(row_tile) * tile * sizeof(int64_t) + tile * taps * sizeof(int16_t);
}

static void stage(depthwise* d, const sf_call* call, uint32_t first, uint32_t count)
{
    const uint32_t channels = (uint32_t)call->out->dims[2], taps = (uint32_t)(call->op->kernel_h * call->op->kernel_w);
    const uint32_t runs = count == channels ? 1 : taps, length = count == channels ? taps * count : count;
    for (uint32_t run = 0; run < runs; run++)
        for (uint32_t i = 0; i < length;) {
            const uint32_t e = run * channels + first + i, size = sf_min_u32(SF_CHUNK - e % SF_CHUNK, length - i);
            sf_stage_s16(call->pass, (uint32_t)call->op->weight, e, size, d->words + (size_t)run * count + i);
            i += size;
        }
    for (uint32_t c = 0; c < count; c++) {
        int64_t sum = 0;
        for (uint32_t t = 0; t < taps; t++) {
            const int32_t w = d->words[(size_t)t * count + c];
            sum += w < 0 ? -w : w;
        }
        d->rows.reach[c] = sum;
    }
    sf_rows_prepare(&d->rows, call, first, count);
}

SF_CLONES
void sf_window_sum(const sf_window* v, uint32_t first, uint32_t count, int32_t* acc)
{
    for (uint32_t c = first; c < count; c++)
        acc[c] = 0;
    for (int32_t ky = 0; ky < v->taps_y; ky++)
        for (int32_t kx = 0; kx < v->taps_x; kx++) {
            const int16_t* w = v->w + (size_t)ky * v->w_row + (size_t)kx * v->w_step;
            const int8_t* x = v->x + (size_t)ky * v->x_row + (size_t)kx * v->x_step;
            for (uint32_t c = first; c < count; c++)
                acc[c] += w[c] * (x[c] - v->zero);
        }
}

static void sum_plain(const sf_window* v, uint32_t count, int32_t* acc) { sf_window_sum(v, 0, count, acc); }

static void sum_wide(const sf_window* v, uint32_t count, int64_t* acc)
{
    for (uint32_t c = 0; c < count; c++) {
        acc[c] = 0;
        for (int32_t ky = 0; ky < v->taps_y; ky++)
            for (int32_t kx = 0; kx < v->taps_x; kx++)
                acc[c] += (int64_t)v->w[(size_t)ky * v->w_row + (size_t)kx * v->w_step + c] *
                          (v->x[(size_t)ky * v->x_row + (size_t)kx * v->x_step + c] - v->zero);
    }
}

/* Set the window of output position (oy, ox) of one sample; x is the sample's first channel of the tile. */
static void place(sf_window* v, const depthwise* d, const sf_call* call, const int8_t* x, int32_t oy, int32_t ox, uint32_t count)
{
    const sf_op* op = call->op;
    const int32_t y0 = oy * op->stride_h - op->pad_top, x0 = ox * op->stride_w - op->pad_left;
    const size_t channels = (size_t)call->in->dims[2], line = (size_t)call->in->dims[1] * channels;
    int32_t ky0, ky1, kx0, kx1;
    sf_taps(y0, op->dilation_h, op->kernel_h, call->in->dims[0], &ky0, &ky1);
    sf_taps(x0, op->dilation_w, op->kernel_w, call->in->dims[1], &kx0, &kx1);
    v->taps_y = kx1 > kx0 ? ky1 - ky0 : 0;
    v->taps_x = kx1 - kx0;
    if (v->taps_y == 0)
        return;
    v->w = d->words + (size_t)(ky0 * op->kernel_w + kx0) * count;
    v->x = x + (size_t)(y0 + ky0 * op->dilation_h) * line + (size_t)(x0 + kx0 * op->dilation_w) * channels;
}

static void run_channels(const depthwise* d, const sf_call* call, uint32_t first, uint32_t count)
{
    const sf_tensor *in = call->in, *out = call->out;
    const size_t channels = (size_t)in->dims[2], positions = (size_t)call->n * (size_t)out->dims[0] * (size_t)out->dims[1];
    const sf_window_kernel fast = sf_window_x86(), sum_narrow = fast != NULL ? fast : sum_plain;
    const int8_t* x = (const int8_t*)call->x + first;
    int32_t oy = 0, ox = 0;
    sf_window v = {0};
    v.w_row = (size_t)call->op->kernel_w * count;
    v.w_step = count;
    v.x_row = (size_t)call->op->dilation_h * (size_t)in->dims[1] * channels;
    v.x_step = (size_t)call->op->dilation_w * channels;
    v.zero = in->zero_point;
    int32_t* acc = (int32_t*)(void*)d->acc;
    for (size_t at = 0, some; at < positions; at += some) {
        some = positions - at < d->positions ? positions - at : d->positions;
        for (size_t p = 0; p < some; p++) {
            place(&v, d, call, x, oy, ox, count);
            if (d->rows.narrow)
                sum_narrow(&v, count, acc + p * d->capacity);
            else
                sum_wide(&v, count, d->acc + p * d->capacity);
            if (++ox == out->dims[1]) {
                ox = 0;
                if (++oy == out->dims[0]) {
                    oy = 0;
                    x += in->elements;
                }
            }
        }
        if (d->rows.narrow)
            sf_rows_narrow(&d->rows, acc, d->capacity, count, (uint32_t)some, call->y, at * channels + first, channels);
        else
            sf_rows_wide(&d->rows, d->acc, d->capacity, count, (uint32_t)some, call->y, at * channels + first, channels);
    }
}

void sf_depthwise_s8(const sf_call* call)
{
    const uint32_t channels = (uint32_t)call->out->dims[2];
    depthwise d;
    if (call->row_tile == SF_DEVICE_ROWS) {
        sf_depthwise_s8_device(call);
        return;
    }
    d.capacity = tile_channels(call->row_tile, channels);
    d.acc = (int64_t*)(void*)sf_rows_carve(&d.rows, (uint8_t*)call->work, d.capacity);
    d.positions = tile_positions(call->row_tile);
    d.words = (int16_t*)(void*)(d.acc + (size_t)d.positions * d.capacity);
    for (uint32_t c = 0; c < channels; c += d.capacity) {
        const uint32_t count = sf_min_u32(d.capacity, channels - c);
        stage(&d, call, c, count);
        run_channels(&d, call, c, count);
    }
}
