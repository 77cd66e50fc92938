/* The transforms of winograd.h in plain C, and a panel's sums through any dot kernel. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/block.h"
#include "multiply/host/kernels.h"
#include "multiply/host/layouts/layouts.h"
#include "multiply/host/plain/plain.h"
#include "multiply/host/winograd.h"
#include "stepforward_host.h"

uint32_t sf_winograd_suits(uint32_t kernel_h, uint32_t kernel_w, uint32_t stride_h, uint32_t stride_w,
                           uint32_t dilation_h, uint32_t dilation_w, uint32_t channels, uint32_t rows, uint32_t out_h,
                           uint32_t out_w)
{
    const uint64_t tiles = ((uint64_t)out_w + 1) / 2 * (((uint64_t)out_h + 1) / 2), positions = (uint64_t)out_w * out_h;
    return kernel_h == 3 && kernel_w == 3 && stride_h == 1 && stride_w == 1 && dilation_h == 1 && dilation_w == 1 &&
           channels % 2 == 0 && channels >= 8 && channels <= SFI_WINOGRAD_CHANNELS && rows > SFI_FEW_ROWS &&
           2 * tiles * 4 <= 3 * positions;
}

typedef struct four {
    int16_t a, b, c, d;
} four;

SFI_INLINE int16_t s16(int32_t v) { return (int16_t)(uint16_t)v; }

SFI_INLINE four of_weights(int16_t a, int16_t b, int16_t c)
{
    const four u = {a, s16(a + b + c), s16(a - b + c), c};
    return u;
}

SFI_INLINE four of_inputs(int16_t a, int16_t b, int16_t c, int16_t d)
{
    const four v = {s16(2 * (a - c)), s16(b + c), s16(c - b), s16(2 * (d - b))};
    return v;
}

SFI_INLINE void put(int16_t* to, size_t step, four v)
{
    to[0] = v.a;
    to[step] = v.b;
    to[2 * step] = v.c;
    to[3 * step] = v.d;
}

SFI_CLONES
uint32_t sfi_winograd_row(const int16_t* restrict line, uint32_t channels, size_t step, int16_t* restrict u,
                          int64_t* sum, int64_t* positive)
{
    const size_t n = channels;
    int32_t most = 0, all = 0, sizes = 0;
    for (size_t c = 0; c < n; c++) {
        const int16_t* g = line + c;
        const four top = of_weights(g[0], g[n], g[2 * n]), middle = of_weights(g[3 * n], g[4 * n], g[5 * n]),
                   bottom = of_weights(g[6 * n], g[7 * n], g[8 * n]);
        int32_t nine = 0, size = 0;
        for (size_t tap = 0; tap < 9; tap++) {
            const int32_t w = g[tap * n];
            nine += w;
            size += w < 0 ? -w : w;
        }
        all += nine;
        sizes += size;
        most = most > size ? most : size;
        put(u + c, step, of_weights(top.a, middle.a, bottom.a));
        put(u + 4 * step + c, step, of_weights(top.b, middle.b, bottom.b));
        put(u + 8 * step + c, step, of_weights(top.c, middle.c, bottom.c));
        put(u + 12 * step + c, step, of_weights(top.d, middle.d, bottom.d));
    }
    *sum = all;
    *positive = (sizes + all) / 2;
    return (uint32_t)most;
}

int sfi_winograd_transform(uint32_t side, sfi_row_kernel row, const int16_t* line, uint32_t rows, uint32_t channels,
                           int16_t* u, int64_t* sum, int64_t* positive)
{
    const size_t point = (size_t)SFI_PANEL * channels;
    const uint32_t most = side == SFI_LARGE ? SFI_LARGE_WEIGHT : 32767u, points = (side + 2) * (side + 2);
    for (uint32_t r = 0; r < rows; r++)
        if (row(line + (size_t)r * 9 * channels, channels, point, u + (size_t)r * channels, sum + r, positive + r) >
            most)
            return 0;
    for (uint32_t p = 0; rows < SFI_PANEL && p < points; p++)
        sfi_fill(u + p * point + (size_t)rows * channels, 0, (SFI_PANEL - rows) * channels * sizeof *u);
    return 1;
}

void sfi_winograd_pack(uint32_t side, const int16_t* u, uint32_t channels, int16_t* words)
{
    const size_t point = (size_t)SFI_PANEL * channels;
    const uint32_t points = (side + 2) * (side + 2);
    for (uint32_t p = 0; p < points; p++)
        sfi_pack_pairs(u + p * point, channels, channels / 2, words + p * point);
}

#define CHANNELS 64u /* transformed together, so that what lies between rows and columns stays at hand */

/* Rows of a tile's transform, then its columns. */
SFI_CLONES
static void transform_tile(const int16_t* restrict d, size_t across, size_t down, uint32_t channels, size_t step,
                           int16_t* restrict v)
{
    int16_t between[4][4][CHANNELS];
    for (uint32_t x = 0; x < 4; x++)
        for (uint32_t c = 0; c < channels; c++) {
            const int16_t* at = d + x * across + c;
            const four r = of_inputs(at[0], at[down], at[2 * down], at[3 * down]);
            between[0][x][c] = r.a;
            between[1][x][c] = r.b;
            between[2][x][c] = r.c;
            between[3][x][c] = r.d;
        }
    for (uint32_t i = 0; i < 4; i++, v += step)
        for (uint32_t c = 0; c < channels; c++)
            put(v + c, 4 * step, of_inputs(between[i][0][c], between[i][1][c], between[i][2][c], between[i][3][c]));
}

void sfi_winograd_band(const int16_t* const* patches, size_t across, size_t down, uint32_t channels, int16_t* v)
{
    const size_t point = (size_t)SFI_WINOGRAD_TILES * channels;
    for (uint32_t t = 0; t < SFI_WINOGRAD_TILES; t++, v += channels)
        for (uint32_t c = 0; c < channels; c += CHANNELS)
            transform_tile(patches[t] + c, across, down, sfi_min_u32(CHANNELS, channels - c), point, v + c);
}

#define SUMS (SFI_WINOGRAD_TILES * SFI_PANEL)

/* m[column][row] to 4*y to y. Unsigned: modulo 2^32. */
SFI_CLONES
static void combine(const int32_t* restrict m, int32_t* restrict sums)
{
    for (uint32_t i = 0; i < SUMS; i++) {
        uint32_t up[4], low[4];
        for (uint32_t j = 0; j < 4; j++) {
            const int32_t* column = m + (size_t)j * 4 * SUMS + i;
            const uint32_t plus = (uint32_t)column[SUMS], minus = (uint32_t)column[2 * SUMS];
            up[j] = (uint32_t)column[0] + plus + minus;
            low[j] = plus - minus + (uint32_t)column[3 * SUMS];
        }
        sums[i] = (int32_t)(up[0] + up[1] + up[2]) >> 2;
        sums[SUMS + i] = (int32_t)(up[1] - up[2] + up[3]) >> 2;
        sums[2 * SUMS + i] = (int32_t)(low[0] + low[1] + low[2]) >> 2;
        sums[3 * SUMS + i] = (int32_t)(low[1] - low[2] + low[3]) >> 2;
    }
}

void sfi_winograd_points(sfi_block_kernel dot, const int16_t* words, const int16_t* v, uint32_t channels, int32_t* m)
{
    const int16_t* patches[SFI_WINOGRAD_TILES];
    const size_t none = 0, point = (size_t)SFI_PANEL * channels;
    for (uint32_t p = 0; p < 16; p++) {
        const sfi_block b = {words + p * point, 0, &none, 1, channels / 2};
        for (uint32_t t = 0; t < SFI_WINOGRAD_TILES; t++)
            patches[t] = v + (size_t)(p * SFI_WINOGRAD_TILES + t) * channels;
        dot(&b, patches, 1, m + (size_t)p * SUMS, SFI_PANEL);
    }
}

void sfi_winograd_sums(sfi_block_kernel dot, const int16_t* words, const int16_t* v, uint32_t channels, int32_t* sums)
{
    int32_t m[16 * SUMS];
    sfi_winograd_points(dot, words, v, channels, m);
    combine(m, sums);
}
