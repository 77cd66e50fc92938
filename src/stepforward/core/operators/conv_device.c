/* Convolution on a device: four output channels at a time, every output position gathers its patch. Where working
 * memory is short and rows are longer than there are positions, rows are taken a piece at a time (some channels of one
 * kernel row), and the sums of all positions are kept in 64 bits. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "multiply/device/device.h"
#include "multiply/matching.h"
#include "multiply/rows.h"
#include "operators/ways.h"
#include "stepforward.h"

typedef struct geometry {
    const sfi_window* w;
    int32_t in_h, in_w, in_c, zero;
    int32_t group_in; /* channels of a patch */
    int32_t joined;   /* the taps of a kernel row lie side by side in the input */
    int words;        /* inputs have 16 bits */
    size_t pixel;     /* bytes of all channels of an input position */
    size_t line;      /* bytes of an input row */
} geometry;

/* Taps first .. last-1 of a kernel side lie inside the input; the first of all taps is at origin. */
typedef struct span {
    int32_t origin, first, last;
} span;

/* One kernel row of the patch at one output position, with zeros in the padding. line: the input row, from the channel
 * of the group or piece on. */
SFI_INLINE void gather_row(const geometry* g, const sfi_widening* inside, const int8_t* line, const span* h,
                           int16_t* out)
{
    const size_t c = inside->out_step;
    if (h->first > 0)
        sfi_fill(out, 0, (size_t)h->first * c * sizeof *out);
    sfi_take_runs(inside, g->words,
                  line + ((ptrdiff_t)h->origin + h->first * (ptrdiff_t)g->w->dilation_w) * (ptrdiff_t)g->pixel,
                  out + (size_t)h->first * c);
    if (h->last < g->w->kernel_w)
        sfi_fill(out + (size_t)h->last * c, 0, (size_t)(g->w->kernel_w - h->last) * c * sizeof *out);
}

/* How the taps of a kernel row that lie inside the input are widened, `channels` of each. */
static sfi_widening inside_of(const geometry* g, const span* h, size_t channels)
{
    const uint32_t taps = (uint32_t)(h->last - h->first);
    const int joined = g->joined && channels == (size_t)g->in_c;
    const sfi_widening inside = {(size_t)g->w->dilation_w * g->pixel, channels, joined ? 1 : taps,
                                 joined ? taps * (uint32_t)channels : (uint32_t)channels, g->zero};
    return inside;
}

/* The patch at one output position. x: the first channel of the group in one sample. */
static void gather(const geometry* g, const int8_t* x, const span* v, const span* h, int16_t* out)
{
    const sfi_window* w = g->w;
    const size_t row = (size_t)w->kernel_w * (size_t)g->group_in;
    const sfi_widening inside = inside_of(g, h, (size_t)g->group_in);
    for (int32_t ky = 0; ky < w->kernel_h; ky++, out += row) {
        if (ky < v->first || ky >= v->last || h->first == h->last)
            sfi_fill(out, 0, row * sizeof *out);
        else
            gather_row(g, &inside, x + (size_t)(v->origin + ky * w->dilation_h) * g->line, h, out);
    }
}

/* All output positions of one sample, y[at] being the first output. */
static void run_windows(const sfi_call* call, const geometry* g, const sfi_device_tile* tile, const int8_t* x,
                        size_t at)
{
    const sfi_window* w = g->w;
    const size_t out_c = (size_t)call->out->dims[2], c = (size_t)g->group_in;
    const ptrdiff_t step = (ptrdiff_t)w->stride_w * (ptrdiff_t)g->pixel;
    const sfi_widening whole = {(size_t)w->dilation_h * g->line, (size_t)w->kernel_w * c, (uint32_t)w->kernel_h,
                                (uint32_t)w->kernel_w * (uint32_t)c, g->zero};
    for (int32_t oy = 0; oy < call->out->dims[0]; oy++) {
        span v = {oy * w->stride_h - w->pad_top, 0, 0}, h = {-w->pad_left, 0, 0};
        sfi_taps(v.origin, w->dilation_h, w->kernel_h, g->in_h, &v.first, &v.last);
        const int32_t inside = g->joined && v.last - v.first == w->kernel_h ? g->in_w - w->kernel_w : -1;
        ptrdiff_t from = v.origin * (ptrdiff_t)g->line + h.origin * (ptrdiff_t)g->pixel;
        for (int32_t ox = 0; ox < call->out->dims[1]; ox++, at += out_c, h.origin += w->stride_w, from += step) {
            if (h.origin >= 0 && h.origin <= inside) {
                sfi_take_runs(&whole, g->words, x + from, tile->patch);
            } else {
                sfi_taps(h.origin, w->dilation_w, w->kernel_w, g->in_w, &h.first, &h.last);
                gather(g, x, &v, &h, tile->patch);
            }
            sfi_device_tile_multiply(tile, call->y, at);
        }
    }
}

/* The same for a 1x1 kernel that visits every position: the patch is the position. */
static void run_points(const sfi_call* call, const geometry* g, const sfi_device_tile* tile, const int8_t* x, size_t at)
{
    const size_t positions = (size_t)g->in_h * (size_t)g->in_w, in_c = (size_t)g->in_c,
                 out_c = (size_t)call->out->dims[2];
    const sfi_widening one = {0, 0, 1, (uint32_t)in_c, g->zero};
    for (size_t p = 0; p < positions; p++, x += g->pixel, at += out_c) {
        sfi_take_runs(&one, g->words, x, tile->patch);
        sfi_device_tile_multiply(tile, call->y, at);
    }
}

/* Rows from `fresh` on were not run before. */
static void run_rows(const sfi_call* call, const geometry* g, const sfi_device_tile* tile, size_t channel,
                     uint32_t first_row, uint32_t fresh)
{
    const sfi_window* w = g->w;
    const int points = w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
                       g->group_in == g->in_c && (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) == 0;
    const int8_t* x = (const int8_t*)call->x + (g->words ? 2 * channel : channel);
    size_t at = first_row;
    for (uint32_t s = 0; s < call->n; s++, x += call->in->bytes, at += (size_t)call->out->elements)
        (points ? run_points : run_windows)(call, g, tile, x, at);
    sfi_counts_close(&tile->rows, call, first_row, fresh, tile->count);
}

/* A piece of four rows: channels first .. first+count-1 of kernel row ky. */
typedef struct piece {
    int32_t ky;
    uint32_t first, count;
} piece;

/* sums[position] += the piece times its part of every patch of one sample. x: the first channel of the piece in that
 * sample. */
static void add_piece(const geometry* g, const sfi_device_tile* tile, const sf_tensor* out, const piece* p,
                      const int8_t* x, int64_t (*sums)[SF_DEVICE_ROWS])
{
    const sfi_window* w = g->w;
    const span all = {0, 0, w->kernel_w};
    const sfi_widening whole = inside_of(g, &all, p->count);
    const int32_t room = g->in_w - w->dilation_w * (w->kernel_w - 1); /* positions whose taps all lie inside */
    for (int32_t oy = 0; oy < out->dims[0]; oy++, sums += out->dims[1]) {
        const int32_t y = oy * w->stride_h - w->pad_top + p->ky * w->dilation_h;
        if (y < 0 || y >= g->in_h)
            continue;
        const int8_t* line = x + (size_t)y * g->line;
        span h = {-w->pad_left, 0, 0};
        for (int32_t ox = 0; ox < out->dims[1]; ox++, h.origin += w->stride_w) {
            if (h.origin >= 0 && h.origin < room) {
                sfi_take_runs(&whole, g->words, line + (size_t)h.origin * g->pixel, tile->patch);
            } else {
                sfi_taps(h.origin, w->dilation_w, w->kernel_w, g->in_w, &h.first, &h.last);
                if (h.first == h.last)
                    continue;
                const sfi_widening inside = inside_of(g, &h, p->count);
                gather_row(g, &inside, line, &h, tile->patch);
            }
            if (g->words) {
                sfi_dot_rows_words(tile->words, tile->stride, tile->patch, tile->stride, sums[ox]);
                continue;
            }
            if (tile->stride > SFI_BLOCK) {
                sfi_dot_rows_wide(tile->words, tile->stride, tile->patch, tile->stride, sums[ox]);
                continue;
            }
            int32_t acc[SF_DEVICE_ROWS];
            sfi_dot_rows(tile->words, tile->stride, tile->patch, tile->stride, acc);
            for (uint32_t r = 0; r < SF_DEVICE_ROWS; r++)
                sums[ox][r] += acc[r];
        }
    }
}

/* Four rows of one sample, piece by piece. x: the first channel of the group. */
static void run_pieces(const sfi_call* call, const geometry* g, sfi_device_tile* tile, uint32_t channels,
                       uint32_t first_row, uint32_t count, const int8_t* x, size_t at, int64_t (*sums)[SF_DEVICE_ROWS])
{
    const sfi_window* w = g->w;
    const uint32_t c = (uint32_t)g->group_in, row = (uint32_t)w->kernel_w * c;
    const size_t positions = (size_t)call->out->dims[0] * (size_t)call->out->dims[1];
    sfi_device_rows_open(&tile->rows, call, first_row, count);
    sfi_fill(sums, 0, positions * sizeof *sums);
    for (piece p = {0, 0, 0}; p.ky < w->kernel_h; p.ky++)
        for (p.first = 0; p.first < c; p.first += p.count) {
            p.count = sfi_min_u32(channels, c - p.first);
            const sfi_columns columns = {(uint32_t)w->kernel_h * row, (uint32_t)p.ky * row + p.first, p.count,
                                         (uint32_t)w->kernel_w, c};
            sfi_device_tile_stage_columns(tile, call, first_row, count, &columns);
            tile->patch[tile->stride - 1] = 0; /* stays so where the number of columns is odd */
            add_piece(g, tile, call->out, &p, x + (g->words ? 2 * p.first : p.first), sums);
        }
    for (size_t i = 0; i < positions; i++)
        sfi_rows_finish_wide(&tile->rows, sums[i], count, call->y, at + i * (size_t)call->out->dims[2]);
    sfi_counts_close(&tile->rows, call, first_row, 0, count);
}

/* Channels of a piece: all, or a multiple of eight, of which `room` columns hold kernel_w runs. */
static uint32_t piece_channels(uint32_t channels, uint32_t kernel_w, uint64_t room)
{
    if ((uint64_t)channels * kernel_w <= room)
        return channels;
    return sfi_min_u32(channels, sfi_max_u32(8, (uint32_t)(room / kernel_w) & ~7u));
}

static uint64_t sums_bytes(const sf_tensor* out)
{
    return (uint64_t)out->dims[0] * (uint64_t)out->dims[1] * SF_DEVICE_ROWS * sizeof(int64_t);
}

uint64_t sfi_conv_device_bytes(const sf_program* program, const sf_op* op, int plain)
{
    const sf_tensor* weight = program->tensors + op->weight;
    const sfi_window* w = sfi_window_of(program, op);
    const uint32_t rows = (uint32_t)weight->dims[0] / sfi_groups(program, op), kernel_w = (uint32_t)w->kernel_w;
    const uint32_t channels = (uint32_t)weight->dims[3], length = (uint32_t)w->kernel_h * kernel_w * channels;
    const int in_place = plain && weight->dtype == SF_S16 && rows >= SF_DEVICE_ROWS && length % 2 == 0;
    const uint64_t whole = sfi_device_tile_bytes(length), patch = sfi_device_patch_bytes(length);
    const uint64_t pieces = sfi_device_tile_bytes(piece_channels(channels, kernel_w, SFI_PIECE) * kernel_w) +
                            sums_bytes(sfi_output(program, op));
    const uint64_t staged = whole / 2 < pieces ? whole : pieces; /* pieces are slower: they have to be worth it */
    return in_place && patch < staged ? patch : staged;
}

void sfi_conv_device(const sfi_call* call)
{
    const sf_tensor *in = call->in, *out = call->out;
    const sfi_window* w = sfi_window_of(call->pass->program, call->op);
    const uint32_t groups = sfi_groups(call->pass->program, call->op), rows = (uint32_t)out->dims[2] / groups;
    const size_t positions = (size_t)out->dims[0] * (size_t)out->dims[1];
    const int32_t group_in = in->dims[2] / (int32_t)groups;
    const size_t pixel = (size_t)in->dims[2] * (in->dtype == SF_S16 ? 2 : 1);
    const geometry g = {w,
                        in->dims[0],
                        in->dims[1],
                        in->dims[2],
                        in->zero_point,
                        group_in,
                        groups == 1 && w->dilation_w == 1,
                        in->dtype == SF_S16,
                        pixel,
                        (size_t)in->dims[1] * pixel};
    const uint32_t length = (uint32_t)(w->kernel_h * w->kernel_w * group_in);
    const int in_place = sfi_device_in_place(call, rows, length);
    sfi_device_tile tile;
    if ((in_place ? sfi_device_patch_bytes(length) : sfi_device_tile_bytes(length)) <= call->work_bytes) {
        sfi_device_tile_open(&tile, call->work, length);
        tile.words_in = g.words;
        for (uint32_t group = 0, count; group < groups; group++)
            for (uint32_t r = 0; r < rows; r += SF_DEVICE_ROWS) {
                const uint32_t first = sfi_device_group(group * rows, r, rows, in_place, &count);
                sfi_device_tile_stage(&tile, call, first, count, positions * call->n);
                run_rows(call, &g, &tile, (size_t)group * (size_t)group_in, first, group * rows + r - first);
            }
        return;
    }
    int64_t (*sums)[SF_DEVICE_ROWS] = (int64_t (*)[SF_DEVICE_ROWS])call->work;
    uint8_t* memory = (uint8_t*)call->work + sums_bytes(out);
    const size_t room = call->work_bytes - (size_t)(sums_bytes(out) + sfi_rows_bytes(SF_DEVICE_ROWS));
    const uint32_t channels =
        piece_channels((uint32_t)group_in, (uint32_t)w->kernel_w, room / (SF_DEVICE_ROWS + 1) / sizeof(int16_t));
    sfi_device_tile_open(&tile, memory, channels * (uint32_t)w->kernel_w);
    for (uint32_t s = 0, count; s < call->n; s++)
        for (uint32_t group = 0; group < groups; group++)
            for (uint32_t r = 0; r < rows; r += SF_DEVICE_ROWS) {
                const uint32_t first = sfi_device_group(group * rows, r, rows, 0, &count);
                const int8_t* x = (const int8_t*)call->x + (size_t)s * (size_t)in->bytes +
                                  (size_t)group * (size_t)group_in * (g.words ? 2 : 1);
                run_pieces(call, &g, &tile, channels, first, count, x, (size_t)s * (size_t)out->elements + first, sums);
            }
}
