/* Winograd's transforms against a convolution as it is defined, with every dot kernel, and each fast piece against the
 * plain one. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "draw.h"
#include "pairs.h"
#include "multiply/choose.h"
#include "multiply/host/plain/plain.h"
#include "multiply/host/winograd.h"

enum { CHANNELS = 80, SIDE = 9, SUMS = SFI_LARGE * SFI_LARGE * SFI_WINOGRAD_TILES * SFI_PANEL };

/* A panel, a band, and eight tiles anywhere in it. */
typedef struct panel {
    uint32_t side, channels, rows;
    int16_t line[SFI_PANEL * 9 * CHANNELS], work[SFI_LARGE_POINTS * SFI_PANEL * CHANNELS],
        words[SFI_LARGE_POINTS * SFI_PANEL * CHANNELS];
    int16_t band[SIDE * SIDE * CHANNELS], v[SFI_LARGE_POINTS * SFI_WINOGRAD_TILES * CHANNELS];
    sfi_tiles tiles;
} panel;

/* Of small tiles, weights whose nine magnitudes add up to at most 32767, and so that no output reaches 2^29: 9 * 80 *
 * 2900 * 255 < 2^29. Of large ones, those of which all may be the largest and no output reaches 2^25. */
static void fill(panel* p)
{
    const int32_t small = (p->channels <= 64 ? 3640 : 2900) / (p->channels > 16 ? 2 : 1),
                  large = p->channels <= 64 ? (int32_t)SFI_LARGE_WEIGHT : 182,
                  largest = p->side == SFI_LARGE ? large : small;
    for (size_t i = 0; i < sizeof p->line / sizeof *p->line; i++)
        p->line[i] = (int16_t)(draw(0, 3) > 0 ? draw(-largest, largest) : draw(0, 1) ? largest : -largest);
    for (size_t i = 0; i < sizeof p->band / sizeof *p->band; i++)
        p->band[i] = (int16_t)draw(-255, 0);
    for (size_t i = 0; i < sizeof p->band / sizeof *p->band; i += 3)
        p->band[i] = -255;
    p->tiles.count = p->side == SFI_LARGE && draw(0, 1) ? SFI_LARGE_TILES : SFI_WINOGRAD_TILES;
    for (uint32_t t = 0; t < SFI_WINOGRAD_TILES; t++) {
        const int32_t last = SIDE - (int32_t)p->side - 2, x = draw(0, last);
        const int neighbour = t > 0 && x > 0; /* those side by side have columns in common */
        p->tiles.patches[t] = p->band + (draw(0, last) * SIDE + x) * (int32_t)p->channels;
        if (neighbour && draw(0, 1) && p->tiles.patches[t - 1] < p->band + SIDE * p->channels * 2)
            p->tiles.patches[t] = p->tiles.patches[t - 1] + p->side * p->channels;
    }
}

/* Whether rows may be transformed, and the sums that come with the answer. */
static int fits(panel* p, sfi_row_kernel row, uint32_t rows)
{
    int64_t sum[SFI_PANEL], positive[SFI_PANEL];
    const int answer = sfi_winograd_transform(p->side, row, p->line, rows, p->channels, p->work, sum, positive);
    for (uint32_t r = 0; answer && r < rows; r++) {
        int64_t all = 0, above = 0;
        for (uint32_t i = 0; i < 9 * p->channels; i++) {
            const int32_t w = p->line[r * 9 * p->channels + i];
            all += w;
            above += w > 0 ? w : 0;
        }
        CHECK(sum[r] == all && positive[r] == above);
    }
    return answer;
}

static int32_t direct(const panel* p, uint32_t q, uint32_t t, uint32_t row)
{
    int64_t sum = 0;
    for (uint32_t tap = 0; tap < 9; tap++)
        for (uint32_t c = 0; c < p->channels; c++)
            sum += p->line[(row * 9 + tap) * p->channels + c] *
                   p->tiles.patches[t][((q / p->side + tap / 3) * SIDE + q % p->side + tap % 3) * p->channels + c];
    const int64_t reach = p->side == SFI_LARGE ? SFI_LARGE_REACH : SFI_WINOGRAD_REACH;
    CHECK(sum > -reach && sum < reach);
    return (int32_t)sum;
}

/* acc[output][tile][row] */
static void sums(panel* p, const sfi_kernels* kernels, int32_t* acc)
{
    fill(p);
    CHECK(fits(p, p->side == SFI_LARGE ? kernels->large_row : kernels->row, p->rows));
    sfi_winograd_pack(p->side, p->work, p->channels, p->words);
    if (p->side == SFI_LARGE) {
        kernels->large_band(&p->tiles, p->channels, SIDE * p->channels, p->channels, p->v);
        kernels->large_sums(p->words, p->v, p->channels, &p->tiles, acc);
    } else {
        kernels->band(p->tiles.patches, p->channels, SIDE * p->channels, p->channels, p->v);
        sfi_winograd_sums(kernels->dot, p->words, p->v, p->channels, acc);
    }
    for (uint32_t i = 0; i < p->side * p->side * SFI_WINOGRAD_TILES * SFI_PANEL; i++) {
        const uint32_t row = i % SFI_PANEL, t = i / SFI_PANEL % SFI_WINOGRAD_TILES,
                       q = i / SFI_PANEL / SFI_WINOGRAD_TILES;
        CHECK(t >= p->tiles.count || acc[i] == (row < p->rows ? direct(p, q, t, row) : 0));
    }
}

/* Outputs that the grid does not have stay as they are. */
static void outputs(panel* p, sfi_winograd_kernel kernel, const int32_t* acc)
{
    enum { PLACES = SFI_LARGE * SFI_LARGE * SFI_WINOGRAD_TILES, APART = SFI_PANEL + 1 };
    static int8_t expected[PLACES * APART], got[PLACES * APART];
    static uint8_t memory[SFI_PANEL * 64];
    const uint32_t places = p->side * p->side;
    sfi_rows rows;
    sfi_rows_carve(&rows, memory, SFI_PANEL);
    rows.dtype = SF_S8;
    rows.narrow = rows.fused = rows.fused_four = 1;
    draw_rounding(&rows);
    rows.zero_point = draw(-128, 127);
    rows.lo = draw(-128, 0);
    rows.hi = draw(0, 127);
    for (uint32_t r = 0; r < p->rows; r++) {
        rows.bias[r] = draw(-1000000, 1000000);
        draw_pair(&rows, r, 32767, 36); /* times 2^31 plus 2^20, and 2^(36 - 15), and 127 * 2^(36 - 14): below 2^31 */
    }
    p->tiles.whole = draw(0, 1);
    memset(expected, 1, sizeof expected);
    memset(got, 1, sizeof got);
    for (uint32_t q = 0; q < places; q++)
        p->tiles.on[q] = (size_t)(q * 7 % places) * APART;
    for (uint32_t t = 0; t < SFI_WINOGRAD_TILES; t++) {
        p->tiles.at[t] = (size_t)t * places * APART;
        p->tiles.inside[t] = (uint16_t)(p->tiles.whole ? 65535 : draw(0, 65535));
        for (uint32_t q = 0; t < p->tiles.count && q < places; q++) {
            const size_t at = p->tiles.at[t] + p->tiles.on[q];
            if (p->tiles.inside[t] >> q & 1u)
                sfi_rows_each(&rows, acc + (q * SFI_WINOGRAD_TILES + t) * SFI_PANEL, SFI_PANEL, p->rows, 1, expected,
                              &at);
        }
    }
    kernel(p->words, p->v, p->channels, &rows, p->rows, &p->tiles, got);
    CHECK(memcmp(expected, got, sizeof got) == 0);
}

static void what_fits(panel* p, sfi_row_kernel row)
{
    memset(p->line, 0, sizeof p->line);
    p->channels = 16;
    for (uint32_t tap = 0; tap < 9; tap++)
        p->line[(9 + tap) * 16 + 5] = (int16_t)(tap % 2 ? 3641 : -3641);
    CHECK(!fits(p, row, 2) && fits(p, row, 1));
    p->line[9 * 16 + 5] = -3639;
    CHECK(fits(p, row, 2)); /* 32767 */
    p->line[9 * 16 + 5] = -32768;
    CHECK(!fits(p, row, 2));
    for (uint32_t tap = 0; tap < 9; tap++)
        p->line[(9 + tap) * 16 + 5] = 32767;
    CHECK(!fits(p, row, 2));
}

static void what_fits_large_tiles(panel* p, sfi_row_kernel row)
{
    memset(p->line, 0, sizeof p->line);
    p->channels = 16;
    p->line[9 * 16 + 5] = -(int16_t)SFI_LARGE_WEIGHT;
    CHECK(fits(p, row, 2));
    p->line[9 * 16 + 5] = (int16_t)SFI_LARGE_WEIGHT + 1;
    CHECK(!fits(p, row, 2) && fits(p, row, 1));
    p->line[9 * 16 + 5] = -32768;
    CHECK(!fits(p, row, 2));
}

/* Of channels that come by sixteens. */
static void large_tiles(panel* p, const sfi_kernels* kernels)
{
    static int32_t acc[SUMS];
    p->side = SFI_LARGE;
    for (p->channels = 16; p->channels <= CHANNELS; p->channels += 16)
        for (int again = 0; again < 8; again++) {
            p->rows = again % 2 ? SFI_PANEL : (uint32_t)draw(1, SFI_PANEL);
            sums(p, kernels, acc);
            outputs(p, kernels->large, acc);
        }
    what_fits_large_tiles(p, kernels->large_row);
}

int main(void)
{
    static int32_t acc[SUMS];
    panel* p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    for (int level = SF_HOST_PLAIN; level <= SF_HOST_BEST; level++) {
        const sfi_kernels kernels = sfi_choose_up_to(level);
        p->side = SFI_SMALL;
        for (p->channels = 8; p->channels <= CHANNELS; p->channels += 2) {
            p->rows = p->channels % 16 == 0 ? SFI_PANEL : (uint32_t)draw(1, SFI_PANEL);
            sums(p, &kernels, acc);
            if (kernels.winograd != NULL)
                outputs(p, kernels.winograd, acc);
        }
        what_fits(p, kernels.row);
        if (kernels.large != NULL)
            large_tiles(p, &kernels);
    }
    free(p);
    puts("winograd: ok");
    return 0;
}
