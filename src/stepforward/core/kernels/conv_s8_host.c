/* Convolution on a host, and the fully connected operator as a convolution of one position. No patch is gathered: a band of input
 * rows is widened once (or copied, for 8-bit weights), with its padding, and every kernel row of every patch is a run of neighbours in it. */
#include "winograd.h"

#if __STDC_HOSTED__

typedef struct geometry {
    uint32_t samples, in_h, in_w, in_c, out_h, out_w;
    uint32_t group_in;                     /* channels of a patch */
    int32_t pad_top, pad_left;
    uint32_t stride_h, stride_w, dilation_h, dilation_w, kernel_h, kernel_w;
    uint32_t joined;                       /* the taps of a kernel row lie side by side */
    uint32_t width;                        /* columns of the picture */
    uint32_t bytes;                        /* 8-bit weights meet a picture of bytes, two to a word of it, instead of s16 */
    uint32_t flip;                         /* of bytes: the picture holds x ^ flip */
    uint32_t winograd;                     /* output rows come in twos, and tiles of four outputs take their products together */
    int32_t zero;
} geometry;

/* What a pointwise convolution and a fully connected operator are: rows of one column. */
static void rows_only(geometry* g, uint32_t rows, uint32_t length)
{
    g->samples = 1;
    g->in_h = g->out_h = rows;
    g->in_w = g->out_w = g->width = 1;
    g->in_c = g->group_in = length;
    g->stride_h = g->stride_w = g->dilation_h = g->dilation_w = g->kernel_h = g->kernel_w = g->joined = 1;
    g->pad_top = g->pad_left = 0;
}

static uint32_t suits_winograd(const geometry* g, uint32_t rows)
{
    return sf_winograd_suits(g->kernel_h, g->kernel_w, g->stride_h, g->stride_w, g->dilation_h, g->dilation_w, g->group_in, rows, g->out_h,
                             g->out_w);
}

/* Patches must begin with a word of the picture. rows: of one group. */
static void choose_words(geometry* g, const sf_kernels* kernels, const sf_tensor* weight, uint32_t rows)
{
    g->bytes = g->flip = 0;
    if (weight->dtype != SF_S16) {
        const uint64_t products = (uint64_t)g->kernel_h * g->kernel_w * g->group_in;
        g->bytes = kernels->bytes != NULL && g->group_in % 2 == 0 && products <= SF_BYTE_PRODUCTS;
        g->flip = kernels->byte_flip;
    }
    g->winograd = !g->bytes && suits_winograd(g, rows);
}

static geometry conv_geometry(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t n)
{
    const sf_tensor *in = program->tensors + op->inputs[0], *out = program->tensors + op->output;
    geometry g;
    g.zero = in->zero_point;
    if (op->kernel_h == 1 && op->kernel_w == 1 && op->stride_h == 1 && op->stride_w == 1 && op->groups == 1 &&
        (op->pad_top | op->pad_left | op->pad_bottom | op->pad_right) == 0) {
        rows_only(&g, n * (uint32_t)in->dims[0] * (uint32_t)in->dims[1], (uint32_t)in->dims[2]);
        choose_words(&g, kernels, program->tensors + op->weight, (uint32_t)out->dims[2]);
        return g;
    }
    g.samples = n;
    g.in_h = (uint32_t)in->dims[0];
    g.in_w = (uint32_t)in->dims[1];
    g.in_c = (uint32_t)in->dims[2];
    g.out_h = (uint32_t)out->dims[0];
    g.out_w = (uint32_t)out->dims[1];
    g.group_in = g.in_c / (uint32_t)op->groups;
    g.pad_top = op->pad_top;
    g.pad_left = op->pad_left;
    g.stride_h = (uint32_t)op->stride_h;
    g.stride_w = (uint32_t)op->stride_w;
    g.dilation_h = (uint32_t)op->dilation_h;
    g.dilation_w = (uint32_t)op->dilation_w;
    g.kernel_h = (uint32_t)op->kernel_h;
    g.kernel_w = (uint32_t)op->kernel_w;
    g.joined = g.dilation_w == 1;
    g.width = (g.out_w - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
    choose_words(&g, kernels, program->tensors + op->weight, (uint32_t)(out->dims[2] / op->groups));
    return g;
}

static uint32_t segments(const geometry* g) { return g->joined ? g->kernel_h : g->kernel_h * g->kernel_w; }
static uint32_t segment(const geometry* g) { return g->joined ? g->kernel_w * g->group_in : g->group_in; }

static sf_host_shape shape(const geometry* g, uint32_t rows)
{
    const sf_host_shape s = {rows, segments(g), segment(g), g->bytes, g->winograd};
    return s;
}

/* Words of 16 bits that some elements of the picture take. */
static uint64_t words(const geometry* g, uint64_t elements) { return g->bytes ? elements / 2 : elements; }

static uint64_t line_words(const geometry* g) { return words(g, (uint64_t)g->width * g->group_in); }

/* Input rows under `rows` output rows. */
static uint32_t in_rows(const geometry* g, uint32_t rows) { return (rows - 1) * g->stride_h + (g->kernel_h - 1) * g->dilation_h + 1; }

/* Output rows of a band: as many as SF_BAND_BYTES hold the input of, at least one; those of Winograd's tiles come in twos. */
static uint32_t band_rows(const geometry* g)
{
    const uint64_t lines = SF_BAND_BYTES / (line_words(g) * sizeof(int16_t)), first = in_rows(g, 1);
    const uint32_t rows = lines <= first ? 1 : (uint32_t)((lines - first) / g->stride_h + 1);
    return g->winograd ? rows + rows % 2 : rows;
}

/* The picture, and what is read beyond it and does not count: the end of a segment that is filled up to pairs or fours, and with
 * Winograd's tiles the position that would follow the last. */
static uint64_t picture_bytes(const geometry* g)
{
    const uint64_t least = in_rows(g, band_rows(g)) * line_words(g) * sizeof(int16_t);
    return (least > SF_BAND_BYTES ? least : SF_BAND_BYTES) + (g->winograd ? g->group_in * sizeof(int16_t) : 0) + 64;
}

static uint64_t work_bytes(const geometry* g, uint32_t row_tile, uint32_t rows)
{
    const sf_host_shape of = shape(g, rows);
    return sf_host_tile_bytes(row_tile, &of) + picture_bytes(g) + SF_GAP;
}

/* `count` elements of the input into the picture from word `at` on. */
SF_INLINE void put(const geometry* g, const int8_t* x, size_t count, int16_t* picture)
{
    if (!g->bytes)
        sf_widen(x, (int32_t)count, g->zero, picture);
    else if (g->flip == 0)
        sf_copy(picture, x, count);
    else
        for (size_t i = 0; i < count; i++)
            ((uint8_t*)picture)[i] = (uint8_t)x[i] ^ 128u;
}

/* `count` elements of padding: x - zero is 0. */
SF_INLINE void put_padding(const geometry* g, size_t count, int16_t* picture)
{
    if (g->bytes)
        sf_fill(picture, (int32_t)((uint8_t)g->zero ^ g->flip), count);
    else
        sf_fill(picture, 0, count * sizeof *picture);
}

/* Columns of one input row, from -pad_left on. line: the first channel of the group. */
SF_INLINE void put_line(const geometry* g, const int8_t* line, int16_t* out)
{
    const uint32_t c = g->group_in, left = sf_min_u32((uint32_t)g->pad_left, g->width), inside = sf_min_u32(g->width - left, g->in_w);
    const size_t column = (size_t)words(g, c);
    put_padding(g, (size_t)left * c, out);
    if (c == g->in_c)
        put(g, line, (size_t)inside * c, out + left * column);
    else
        for (uint32_t i = 0; i < inside; i++)
            put(g, line + (size_t)i * g->in_c, c, out + (left + i) * column);
    put_padding(g, (size_t)(g->width - left - inside) * c, out + (left + inside) * column);
}

/* The input rows under output rows oy .. oy+rows-1 of one sample. */
SF_CLONES
static void put_band(const geometry* g, const int8_t* x, uint32_t oy, uint32_t rows, int16_t* picture)
{
    const size_t line = (size_t)g->width * g->group_in, step = (size_t)line_words(g), from = (size_t)g->in_w * g->in_c;
    const int64_t top = (int64_t)oy * g->stride_h - g->pad_top, end = top + in_rows(g, rows);
    const int64_t first = top >= 0 ? top : end > 0 ? 0 : end, inside = end < g->in_h ? end : g->in_h;
    const int64_t last = inside > first ? inside : first; /* rows from first to before last lie inside the image; maybe none */
    if (first > top)
        put_padding(g, (size_t)(first - top) * line, picture);
    picture += (size_t)(first - top) * step;
    if (g->group_in == g->in_c && line == from && g->pad_left == 0 && first < last) {
        put(g, x + (size_t)first * from, (size_t)(last - first) * from, picture);
        picture += (size_t)(last - first) * step;
    } else {
        for (int64_t y = first; y < last; y++, picture += step)
            put_line(g, x + (size_t)y * from, picture);
    }
    if (last < end)
        put_padding(g, (size_t)(end - last) * line, picture);
}

/* All positions of a band. at: the first position's first output. */
static void run_band(const geometry* g, const sf_host_tile* tile, uint32_t rows, const int16_t* picture, void* y, size_t at,
                     size_t step)
{
    sf_grid grid = {g->out_w, rows, picture, (size_t)words(g, (uint64_t)g->stride_w * g->group_in),
                    (size_t)(g->stride_h * line_words(g)), at, step, step * g->out_w};
    if (g->out_w == 1) { /* a column is as good as a row, and rows are cheaper to walk along */
        grid.width = rows;
        grid.rows = 1;
        grid.across = grid.down;
        grid.out_across = grid.out_down;
    }
    sf_host_tile_multiply(tile, &grid, y);
}

/* Rows of a tile, of `rows` in all. Packed ones are what is multiplied together, so that threads share their packing evenly: up to three
 * panels, about the same number in each. */
static uint32_t tile_rows(uint32_t row_tile, int packed, uint32_t rows)
{
    const uint32_t panels = (rows + SF_PANEL - 1) / SF_PANEL, tiles = (panels + SF_BLOCK_PANELS - 1) / SF_BLOCK_PANELS;
    return packed ? sf_min_u32(row_tile, (panels + tiles - 1) / tiles * SF_PANEL) : row_tile;
}

static sf_packing packing(const geometry* g, uint32_t row_tile, uint32_t groups, uint32_t out_c)
{
    const uint32_t rows = out_c / groups, packed = tile_rows(row_tile, 1, rows), most = sf_min_u32(packed, rows);
    const sf_host_shape of = shape(g, rows);
    sf_packing p;
    p.tiles = groups * ((rows + most - 1) / most);
    p.tile_bytes = sf_host_tile_packed_bytes(packed, &of);
    return p;
}

static int16_t* open_tile(sf_host_tile* tile, const geometry* g, const sf_call* call, uint32_t rows)
{
    const size_t line = (size_t)line_words(g), column = (size_t)words(g, g->group_in);
    const sf_host_shape of = shape(g, rows);
    uint8_t* end = sf_host_tile_open(tile, call->pass->kernels, call->work, tile_rows(call->row_tile, call->packed != NULL, rows), &of);
    for (uint32_t s = 0; s < segments(g); s++)
        tile->offsets[s] = g->joined ? s * g->dilation_h * line
                                     : s / g->kernel_w * g->dilation_h * line + s % g->kernel_w * g->dilation_w * column;
    return sf_room(&end, picture_bytes(g));
}

static void pack(const geometry* g, const sf_call* call, const sf_call* twin, uint32_t groups, uint32_t out_c, uint32_t index)
{
    const uint32_t rows = out_c / groups;
    const sf_packing p = packing(g, call->row_tile, groups, out_c);
    const uint32_t tiles = p.tiles / groups, group = index / tiles;
    sf_host_tile tile, other;
    open_tile(&tile, g, call, rows);
    other = tile;
    const uint32_t first = index % tiles * tile.capacity, count = sf_min_u32(tile.capacity, rows - first);
    sf_host_tile_point(&tile, call->packed + index * p.tile_bytes);
    if (twin != NULL)
        sf_host_tile_point(&other, twin->packed + index * p.tile_bytes);
    if (!call->words_kept)
        sf_host_tile_pack(&tile, call, group * rows + first, count, twin != NULL ? &other : NULL);
    sf_packed_rows_prepare(tile.packed_rows, twin != NULL ? other.packed_rows : NULL, call, group * rows + first);
}

/* Rows of one group and where they lie packed, tile after tile. */
typedef struct stretch {
    uint32_t group, first, end;
    uint8_t* packed;
    uint64_t tile_bytes;
} stretch;

/* All samples: a band is put into the picture once for all tiles. */
static void run_stretch(const geometry* g, const sf_call* call, sf_host_tile* tile, int16_t* picture, const stretch* rows,
                        uint32_t out_c)
{
    const uint32_t most = band_rows(g);
    const int8_t* x = (const int8_t*)call->x + (size_t)rows->group * g->group_in;
    size_t at = 0;
    for (uint32_t s = 0; s < g->samples; s++, x += (size_t)g->in_h * g->in_w * g->in_c)
        for (uint32_t oy = 0, some; oy < g->out_h; oy += some, at += (size_t)some * g->out_w * out_c) {
            uint8_t* packed = rows->packed;
            some = sf_min_u32(most, g->out_h - oy);
            put_band(g, x, oy, some, picture);
            for (uint32_t row = rows->first; row < rows->end; row += tile->count, packed += rows->tile_bytes) {
                sf_host_tile_select(tile, packed);
                run_band(g, tile, some, picture, call->y, at + row, out_c);
            }
        }
}

static void run(const geometry* g, const sf_call* call, uint32_t groups, uint32_t out_c)
{
    const uint32_t rows = out_c / groups;
    const sf_packing p = packing(g, call->row_tile, groups, out_c);
    sf_host_tile tile;
    int16_t* picture = open_tile(&tile, g, call, rows);
    for (uint32_t group = 0; group < groups; group++) {
        stretch all = {group, group * rows, (group + 1) * rows, call->packed, p.tile_bytes};
        if (call->packed != NULL) {
            all.packed += group * (p.tiles / groups) * p.tile_bytes;
            run_stretch(g, call, &tile, picture, &all, out_c);
            continue;
        }
        for (stretch one = all; one.first < all.end; one.first = one.end) {
            one.end = sf_min_u32(one.first + tile.capacity, all.end);
            one.packed = (uint8_t*)call->work;
            sf_host_tile_pack(&tile, call, one.first, one.end - one.first, NULL);
            sf_packed_rows_prepare(tile.packed_rows, NULL, call, one.first);
            run_stretch(g, call, &tile, picture, &one, out_c);
        }
    }
}

uint64_t sf_conv_s8_host_bytes(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const sf_tensor* out = program->tensors + op->output;
    const geometry g = conv_geometry(kernels, program, op, 1);
    return work_bytes(&g, row_tile, (uint32_t)(out->dims[2] / op->groups));
}

sf_packing sf_conv_s8_host_packing(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const sf_tensor* out = program->tensors + op->output;
    const geometry g = conv_geometry(kernels, program, op, 1);
    return packing(&g, row_tile, (uint32_t)op->groups, (uint32_t)out->dims[2]);
}

void sf_conv_s8_host_pack(const sf_call* call, const sf_call* twin, uint32_t tile)
{
    const geometry g = conv_geometry(call->pass->kernels, call->pass->program, call->op, 1);
    pack(&g, call, twin, (uint32_t)call->op->groups, (uint32_t)call->out->dims[2], tile);
}

void sf_conv_s8_host(const sf_call* call)
{
    const geometry g = conv_geometry(call->pass->kernels, call->pass->program, call->op, call->n);
    run(&g, call, (uint32_t)call->op->groups, (uint32_t)call->out->dims[2]);
}

static geometry fully_connected_geometry(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t n)
{
    const sf_tensor* in = program->tensors + op->inputs[0];
    geometry g;
    g.zero = in->zero_point;
    rows_only(&g, n, (uint32_t)in->elements);
    choose_words(&g, kernels, program->tensors + op->weight, (uint32_t)program->tensors[op->output].elements);
    return g;
}

uint64_t sf_fully_connected_s8_host_bytes(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const geometry g = fully_connected_geometry(kernels, program, op, 1);
    return work_bytes(&g, row_tile, (uint32_t)program->tensors[op->output].elements);
}

sf_packing sf_fully_connected_s8_host_packing(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile)
{
    const geometry g = fully_connected_geometry(kernels, program, op, 1);
    return packing(&g, row_tile, 1, (uint32_t)program->tensors[op->output].elements);
}

void sf_fully_connected_s8_host_pack(const sf_call* call, const sf_call* twin, uint32_t tile)
{
    const geometry g = fully_connected_geometry(call->pass->kernels, call->pass->program, call->op, 1);
    pack(&g, call, twin, 1, (uint32_t)call->out->elements, tile);
}

void sf_fully_connected_s8_host(const sf_call* call)
{
    const geometry g = fully_connected_geometry(call->pass->kernels, call->pass->program, call->op, call->n);
    run(&g, call, 1, (uint32_t)call->out->elements);
}

#endif
