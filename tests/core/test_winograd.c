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

enum { CHANNELS = 80, SIDE = 9, SUMS = 4 * SFI_WINOGRAD_TILES * SFI_PANEL };

/* A panel, a band, and eight tiles anywhere in it. */
typedef struct panel {
    uint32_t channels, rows;
    int16_t line[SFI_PANEL * 9 * CHANNELS], work[16 * SFI_PANEL * CHANNELS], words[16 * SFI_PANEL * CHANNELS];
    int16_t band[SIDE * SIDE * CHANNELS], v[16 * SFI_WINOGRAD_TILES * CHANNELS];
    sfi_tiles tiles;
} panel;

/* Weights whose nine magnitudes add up to at most 32767, and so that no output reaches 2^29: 9 * 80 * 2900 * 255 <
 * 2^29. */
static void fill(panel* p)
{
    const int32_t largest = p->channels <= 64 ? 3640 : 2900;
    for (size_t i = 0; i < sizeof p->line / sizeof *p->line; i++)
        p->line[i] = (int16_t)(p->channels > 16 ? draw(-largest / 2, largest / 2) : draw(-largest, largest));
    for (size_t i = 0; i < sizeof p->band / sizeof *p->band; i++)
        p->band[i] = (int16_t)draw(-255, 0);
    for (size_t i = 0; i < sizeof p->band / sizeof *p->band; i += 3)
        p->band[i] = -255;
    for (uint32_t t = 0; t < SFI_WINOGRAD_TILES; t++)
        p->tiles.patches[t] = p->band + (draw(0, SIDE - 4) * SIDE + draw(0, SIDE - 4)) * (int32_t)p->channels;
}

/* Whether rows may be transformed, and the sums that come with the answer. */
static int fits(panel* p, sfi_row_kernel row, uint32_t rows)
{
    int64_t sum[SFI_PANEL], positive[SFI_PANEL];
    const int answer = sfi_winograd_transform(row, p->line, rows, p->channels, p->work, sum, positive);
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
                   p->tiles.patches[t][((q / 2 + tap / 3) * SIDE + q % 2 + tap % 3) * p->channels + c];
    CHECK(sum > -SFI_WINOGRAD_REACH && sum < SFI_WINOGRAD_REACH);
    return (int32_t)sum;
}

static void sums(panel* p, const sfi_kernels* kernels)
{
    static int32_t got[SUMS];
    fill(p);
    CHECK(fits(p, kernels->row, p->rows));
    sfi_winograd_pack(p->work, p->channels, p->words);
    kernels->band(p->tiles.patches, p->channels, SIDE * p->channels, p->channels, p->v);
    sfi_winograd_sums(kernels->dot, p->words, p->v, p->channels, got);
    for (uint32_t i = 0; i < SUMS; i++) {
        const uint32_t row = i % SFI_PANEL, t = i / SFI_PANEL % SFI_WINOGRAD_TILES,
                       q = i / SFI_PANEL / SFI_WINOGRAD_TILES;
        CHECK(got[i] == (row < p->rows ? direct(p, q, t, row) : 0));
    }
}

/* Outputs that the grid does not have stay as they are. */
static void outputs(panel* p, const sfi_kernels* kernels)
{
    static int32_t acc[SUMS];
    static int8_t expected[64 * SFI_PANEL], got[64 * SFI_PANEL];
    static uint8_t memory[SFI_PANEL * 64];
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
    sfi_winograd_sums(sfi_block_dot, p->words, p->v, p->channels, acc);
    for (uint32_t i = 0; i < 4 * SFI_WINOGRAD_TILES; i++) {
        size_t* at = &p->tiles.at[i / SFI_WINOGRAD_TILES][i % SFI_WINOGRAD_TILES];
        uint8_t* inside = &p->tiles.inside[i / SFI_WINOGRAD_TILES][i % SFI_WINOGRAD_TILES];
        *at = (size_t)(i * 7 % 32) * (SFI_PANEL + 1);
        *inside = (uint8_t)(p->tiles.whole || draw(0, 3) > 0);
        if (*inside)
            sfi_rows_each(&rows, acc + i * SFI_PANEL, SFI_PANEL, p->rows, 1, expected, at);
    }
    kernels->winograd(p->words, p->v, p->channels, &rows, p->rows, &p->tiles, got);
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

int main(void)
{
    panel* p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    for (int level = SF_HOST_PLAIN; level <= SF_HOST_BEST; level++) {
        const sfi_kernels kernels = sfi_choose_up_to(level);
        for (p->channels = 8; p->channels <= CHANNELS; p->channels += 2) {
            p->rows = p->channels % 16 == 0 ? SFI_PANEL : (uint32_t)draw(1, SFI_PANEL);
            sums(p, &kernels);
            if (kernels.winograd != NULL)
                outputs(p, &kernels);
        }
        what_fits(p, kernels.row);
    }
    free(p);
    puts("winograd: ok");
    return 0;
}
