/* Every fast path this machine has against the plain kernels, with the largest weights and inputs there are. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "draw.h"
#include "pairs.h"
#include "base/integers.h"
#include "base/tables.h"
#include "multiply/choose.h"
#include "multiply/host/plain/plain.h"

#define SEGMENTS 3
#define PAIRS 40
#define BAND 4096

/* Eight patches anywhere in a band, every number of panels; for `window` a segment is one pair. */
static void blocks(sfi_block_kernel plain, sfi_block_kernel fast, size_t pairs)
{
    static int16_t words[SFI_BLOCK_PANELS * SEGMENTS * PAIRS * SFI_PANEL * 2], band[BAND];
    static int32_t expected[SFI_BLOCK_PATCHES * SFI_BLOCK_PANELS * SFI_PANEL],
        got[SFI_BLOCK_PATCHES * SFI_BLOCK_PANELS * SFI_PANEL];
    size_t offsets[SEGMENTS];
    const sfi_block b = {words, SEGMENTS * pairs * SFI_PANEL * 2, offsets, SEGMENTS, pairs};
    const int16_t* patches[SFI_BLOCK_PATCHES];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        words[i] = (int16_t)draw(-32767, 32767);
    for (size_t i = 0; i < BAND; i++)
        band[i] = (int16_t)draw(-255, 255);
    for (size_t s = 0; s < SEGMENTS; s++)
        offsets[s] = (size_t)draw(0, 1000);
    for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++)
        patches[p] = band + draw(0, 2000);
    for (uint32_t panels = 1; panels <= SFI_BLOCK_PANELS; panels++) {
        plain(&b, patches, panels, expected, SFI_BLOCK_PANELS * SFI_PANEL);
        fast(&b, patches, panels, got, SFI_BLOCK_PANELS * SFI_PANEL);
        for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++)
            CHECK(memcmp(expected + p * SFI_BLOCK_PANELS * SFI_PANEL, got + p * SFI_BLOCK_PANELS * SFI_PANEL,
                         panels * SFI_PANEL * sizeof *got) == 0);
    }
}

/* Sums of s8 weights and of bytes that hold x ^ flip: with a flip of 128 every row has 128 times the sum of its weights
 * too much. */
static void byte_blocks(sfi_block_kernel fast, uint32_t flip, size_t pairs)
{
    enum { ROWS_HERE = SFI_BLOCK_PANELS * SFI_PANEL };
    static int8_t words[SEGMENTS * PAIRS * ROWS_HERE * 4];
    static uint8_t band[2 * BAND], flipped[2 * BAND];
    static int32_t expected[SFI_BLOCK_PATCHES * ROWS_HERE], got[SFI_BLOCK_PATCHES * ROWS_HERE];
    size_t offsets[SEGMENTS], from[SFI_BLOCK_PATCHES];
    const int16_t *patches[SFI_BLOCK_PATCHES], *others[SFI_BLOCK_PATCHES];
    const sfi_block b = {(const int16_t*)(void*)words, SEGMENTS * pairs * SFI_PANEL * 2, offsets, SEGMENTS, pairs};
    for (size_t i = 0; i < sizeof words; i++)
        words[i] = (int8_t)draw(-128, 127);
    for (size_t i = 0; i < sizeof band; i++) {
        band[i] = (uint8_t)draw(0, 255);
        flipped[i] = (uint8_t)(band[i] ^ flip);
    }
    for (size_t s = 0; s < SEGMENTS; s++)
        offsets[s] = (size_t)draw(0, 1000);
    for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++) {
        from[p] = (size_t)draw(0, 2000);
        patches[p] = (const int16_t*)(void*)band + from[p];
        others[p] = (const int16_t*)(void*)flipped + from[p];
    }
    for (uint32_t panels = 1; panels <= SFI_BLOCK_PANELS; panels++) {
        sfi_block_bytes(&b, patches, panels, expected, ROWS_HERE);
        fast(&b, others, panels, got, ROWS_HERE);
        for (size_t r = 0; r < panels * SFI_PANEL; r++) {
            int32_t sum = 0;
            for (size_t i = 0; i < SEGMENTS * pairs * 4; i++)
                sum += words[(r / SFI_PANEL * SEGMENTS * pairs + i / 4) * SFI_PANEL * 4 + r % SFI_PANEL * 4 + i % 4];
            for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++)
                CHECK(got[p * ROWS_HERE + r] == expected[p * ROWS_HERE + r] + (int32_t)flip * sum);
        }
    }
}

/* Rows as sfi_rows_prepare() finds them fused: |acc + bias| <= 2^30 + 2^20, so the product without its low half stays
 * below 2^30 * 1.001, half below 2^28, and the zero point below 2^29. */
static void fused_rows(sfi_rows* rows, uint32_t count)
{
    rows->dtype = SF_S8;
    rows->narrow = rows->fused = 1;
    draw_rounding(rows);
    rows->zero_point = draw(-128, 127);
    rows->lo = draw(-128, 0);
    rows->hi = draw(0, 127);
    for (uint32_t r = 0; r < count; r++) {
        rows->bias[r] = draw(-1000000, 1000000);
        draw_pair(rows, r, 65535, 38);
    }
}

enum { ROWS = 64, AREA = 160 * ROWS };

/* The words of a panel as grid_few takes them. */
static void pack_few(const sfi_block* b, int16_t* few)
{
    const size_t fours = (b->pairs + 1) / 2;
    memset(few, 0, b->segments * fours * 4 * SFI_FEW_ROWS * sizeof *few);
    for (size_t s = 0; s < b->segments; s++, few += fours * 4 * SFI_FEW_ROWS)
        for (size_t k = 0; k < 2 * b->pairs; k++)
            for (size_t r = 0; r < SFI_FEW_ROWS; r++)
                few[k / 4 * 4 * SFI_FEW_ROWS + r * 4 + k % 4] =
                    b->words[((s * b->pairs + k / 2) * SFI_PANEL + r) * 2 + k % 2];
}

/* A grid kernel against the plain kernels one after the other: every count of rows, grids that do not fill eights,
 * outputs with and without gaps. Weights are small enough for SEGMENTS * 2 * PAIRS products to stay below 2^30. */
static void grids(sfi_block_kernel plain, sfi_grid_kernel fast, size_t pairs, uint32_t most)
{
    static int16_t few[SEGMENTS * (PAIRS + 1) * 2 * SFI_FEW_ROWS];
    static int16_t words[ROWS * SEGMENTS * PAIRS * 2], band[2 * BAND];
    static int32_t acc[SFI_BLOCK_PATCHES * ROWS];
    static int8_t expected[AREA], got[AREA];
    static uint8_t memory[ROWS * 64];
    size_t offsets[SEGMENTS];
    const sfi_block b = {words, SEGMENTS * pairs * SFI_PANEL * 2, offsets, SEGMENTS, pairs};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        words[i] = (int16_t)draw(-16000, 16000);
    for (size_t i = 0; i < 2 * BAND; i++)
        band[i] = (int16_t)draw(-255, 255);
    for (size_t s = 0; s < SEGMENTS; s++)
        offsets[s] = (size_t)draw(0, 1000);
    for (uint32_t count = 1; fast != NULL && count <= most; count++) {
        const uint32_t width = (uint32_t)draw(1, 28), rows_down = (uint32_t)draw(1, 5), padding = (uint32_t)draw(0, 2);
        const size_t step = count + padding;
        const sfi_grid grid = {
            width, rows_down, band, (size_t)draw(1, 90), (size_t)draw(1, 800), 1, step, width * step + padding};
        sfi_cursor cursor = sfi_grid_start(&grid);
        sfi_eight eight;
        sfi_rows rows;
        sfi_rows_carve(&rows, memory, ROWS);
        fused_rows(&rows, count);
        memset(expected, 1, sizeof expected);
        memset(got, 1, sizeof got);
        while (sfi_grid_next(&cursor, &eight)) {
            for (uint32_t j = 0; j < (count + SFI_PANEL - 1) / SFI_PANEL; j += SFI_BLOCK_PANELS) {
                const uint32_t left = (count + SFI_PANEL - 1) / SFI_PANEL - j,
                               some = left < SFI_BLOCK_PANELS ? left : SFI_BLOCK_PANELS;
                sfi_block part = b;
                part.words += j * b.panel;
                sfi_eight shifted = eight;
                for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++)
                    shifted.patches[p] += plain == sfi_block_window ? j * 2 * SFI_PANEL : 0;
                plain(&part, shifted.patches, some, acc + j * SFI_PANEL, ROWS);
            }
            sfi_rows_each(&rows, acc, ROWS, count, eight.count, expected, eight.at);
        }
        sfi_block packed = b;
        if (most == SFI_FEW_ROWS) {
            pack_few(&b, few);
            packed.words = few;
        }
        fast(&packed, &grid, &rows, count, got);
        CHECK(memcmp(expected, got, sizeof got) == 0);
    }
}

/* Weights of 16 bits in planes of bytes, upper ones first: sums of each plane, and outputs of a grid, against what
 * whole weights give. */
static void splits(const sfi_kernels* fast, size_t fours)
{
    enum { ROWS_HERE = SFI_BLOCK_PANELS * SFI_PANEL, ROW = SEGMENTS * PAIRS * 4 };
    static int16_t w[ROWS_HERE][ROW];
    static int8_t planes[2 * ROWS_HERE * ROW], expected[AREA], got[AREA];
    static uint8_t band[4 * BAND], memory[ROWS * 64];
    static int32_t sums[2][SFI_BLOCK_PATCHES * ROWS_HERE], acc[SFI_BLOCK_PATCHES * ROWS_HERE];
    const size_t plane = SEGMENTS * fours * 2 * SFI_PANEL, row = SEGMENTS * fours * 4;
    int32_t* both[2] = {sums[0], sums[1]};
    size_t offsets[SEGMENTS];
    const sfi_block b = {(const int16_t*)(void*)planes, 2 * plane, offsets, SEGMENTS, fours};
    for (size_t i = 0; i < sizeof band; i++)
        band[i] = (uint8_t)draw(0, 255);
    for (size_t s = 0; s < SEGMENTS; s++)
        offsets[s] = (size_t)draw(0, 1000);
    for (size_t r = 0; r < ROWS_HERE; r++)
        for (size_t i = 0; i < row; i++) {
            const size_t at = r / SFI_PANEL * 4 * plane + (i / 4 * SFI_PANEL + r % SFI_PANEL) * 4 + i % 4;
            w[r][i] = (int16_t)draw(r % 5 == 0 ? -32768 : -7000, r % 5 == 1 ? 32767 : 7000);
            planes[at] = (int8_t)(w[r][i] >> 8);
            planes[at + 2 * plane] = (int8_t)w[r][i];
        }
    for (uint32_t count = 1; count <= ROWS_HERE; count += count % 16 == 0 ? 1 : 5) {
        const size_t step = count + (size_t)draw(0, 2);
        const sfi_grid grid = {(uint32_t)draw(1, 40),
                               (uint32_t)draw(1, 4),
                               (const int16_t*)(void*)band,
                               (size_t)draw(1, 60),
                               (size_t)draw(1, 800),
                               1,
                               step,
                               40 * step};
        const uint32_t panels = (count + SFI_PANEL - 1) / SFI_PANEL;
        sfi_cursor cursor = sfi_grid_start(&grid);
        sfi_eight eight;
        sfi_rows rows;
        sfi_rows_carve(&rows, memory, ROWS);
        fused_rows(&rows, count);
        memset(expected, 1, sizeof expected);
        memset(got, 1, sizeof got);
        while (sfi_grid_next(&cursor, &eight)) {
            fast->split(&b, plane, eight.patches, panels, both, ROWS_HERE);
            for (size_t p = 0; p < SFI_BLOCK_PATCHES; p++)
                for (size_t r = 0; r < count; r++) {
                    int64_t sum = 0, upper = 0;
                    for (size_t i = 0; i < row; i++) {
                        const size_t s = i / (4 * fours);
                        const uint8_t x = ((const uint8_t*)(eight.patches[p] + offsets[s]))[i % (4 * fours)];
                        sum += w[r][i] * x;
                        upper += (w[r][i] >> 8) * x;
                    }
                    const size_t at = p * ROWS_HERE + r;
                    CHECK(sums[0][at] == upper && 256 * upper + sums[1][at] == sum);
                    acc[at] = (int32_t)sum;
                }
            sfi_rows_each(&rows, acc, ROWS_HERE, count, eight.count, expected, eight.at);
        }
        fast->grid_split(&b, plane, &grid, &rows, count, got);
        CHECK(memcmp(expected, got, sizeof got) == 0);
    }
}

/* Accumulators up to the bound that makes a row narrow, every count of rows, both types of output. */
static void rescales(sfi_rows_kernel fast)
{
    static uint8_t memory[ROWS * 64];
    static int32_t acc[SFI_BLOCK_PATCHES * ROWS];
    for (uint32_t trial = 0; trial < 2 * ROWS; trial++) {
        const uint32_t count = trial / 2 + 1;
        size_t at[SFI_BLOCK_PATCHES];
        int16_t expected[SFI_BLOCK_PATCHES * 64], got[SFI_BLOCK_PATCHES * 64];
        sfi_rows rows;
        sfi_rows_carve(&rows, memory, ROWS);
        rows.dtype = trial % 2 ? SF_S16 : SF_S8;
        draw_rounding(&rows);
        rows.zero_point = draw(-128, 127);
        rows.lo = trial % 2 ? -32768 : draw(-128, 0);
        rows.hi = trial % 2 ? 32767 : draw(1, 127);
        for (uint32_t r = 0; r < count; r++) {
            rows.bias[r] = draw(-1000000, 1000000);
            draw_pair(&rows, r, 65535, 45);
        }
        for (uint32_t i = 0; i < SFI_BLOCK_PATCHES * ROWS; i++)
            acc[i] = draw(-1000000000, 1000000000); /* times 65535 / 65536, plus 2^28, stays below 2^31 */
        for (uint32_t p = 0; p < SFI_BLOCK_PATCHES; p++)
            at[p] = (SFI_BLOCK_PATCHES - 1 - p) * 64;
        memset(expected, 0, sizeof expected);
        memset(got, 0, sizeof got);
        sfi_rows_each(&rows, acc, ROWS, count, SFI_BLOCK_PATCHES, expected, at);
        fast(&rows, acc, ROWS, count, SFI_BLOCK_PATCHES, got, at);
        CHECK(memcmp(expected, got, sizeof got) == 0);
    }
}

static void interleaves(sfi_interleave_kernel fast)
{
    int8_t a[70], b[70];
    int16_t expected[140], got[140];
    for (size_t count = 0; count <= 70; count++) {
        const int32_t zero = draw(-128, 127);
        for (size_t i = 0; i < 70; i++) {
            a[i] = (int8_t)draw(-128, 127);
            b[i] = (int8_t)draw(-128, 127);
        }
        memset(expected, 0, sizeof expected);
        memset(got, 0, sizeof got);
        sfi_interleave(a, b, count, zero, expected);
        fast(a, b, count, zero, got);
        CHECK(memcmp(expected, got, sizeof got) == 0);
    }
}

/* Every z, the largest multipliers, and every shift. */
static void twins(sfi_twins_kernel fast)
{
    enum { ALL = 255 };
    static const int32_t limits[3] = {32767, 127, 7};
    int16_t w[ALL], up[2][ALL], down[2][ALL];
    int8_t z[ALL];
    for (uint32_t trial = 0; trial < 3 * 48 * 8; trial++) {
        const int32_t q_max = limits[trial % 3];
        const sf_scaler scaler = {(uint32_t)draw(trial & 1 ? 0 : 32768, 65535), trial / 3 % 48, 0, 0};
        const uint32_t count = trial < 3 * 48 ? ALL : (uint32_t)draw(0, ALL);
        for (int32_t i = 0; i < ALL; i++) {
            z[i] = (int8_t)(i - 127);
            w[i] = (int16_t)draw(-q_max - (q_max == 32767), q_max);
        }
        memset(up, 0, sizeof up);
        memset(down, 0, sizeof down);
        sfi_twins(w, z, count, &scaler, q_max, up[0], down[0]);
        fast(w, z, count, &scaler, q_max, up[1], down[1]);
        CHECK(memcmp(up[0], up[1], sizeof up[0]) == 0 && memcmp(down[0], down[1], sizeof down[0]) == 0);
    }
}

static void panel_sums(sfi_sums_kernel fast)
{
    const size_t most = 70000; /* more than a sum of 32 bits holds */
    int16_t* words = malloc(most * 2 * SFI_PANEL * sizeof *words);
    int64_t sum[2][SFI_PANEL], positive[2][SFI_PANEL];
    CHECK(words != NULL);
    for (size_t i = 0; i < most * 2 * SFI_PANEL; i++)
        words[i] = (int16_t)(i % SFI_PANEL < 4 ? -32768 : i % SFI_PANEL < 8 ? 32767 : draw(-32768, 32767));
    for (size_t pairs = 0; pairs <= most; pairs += pairs < 20 ? 1 : 34990) {
        sfi_sums(words, pairs, sum[0], positive[0]);
        fast(words, pairs, sum[1], positive[1]);
        CHECK(memcmp(sum[0], sum[1], sizeof sum[0]) == 0 && memcmp(positive[0], positive[1], sizeof positive[0]) == 0);
        CHECK(sum[1][0] == -65536 * (int64_t)pairs && positive[1][0] == 0); /* row r: elements 2r and 2r+1 of a pair */
        CHECK(sum[1][2] == 65534 * (int64_t)pairs && positive[1][2] == sum[1][2]);
    }
    free(words);
}

/* Multipliers up to the largest, and sums that stay below 2^31: 2^25 + 2^30. */
static void adds(sfi_add_kernel fast)
{
    int8_t a[200], b[200], expected[200], got[200];
    for (size_t count = 0; count <= 200; count++) {
        const sfi_sum s = {draw(0, 65535), draw(0, 65535), 2 * draw(-(1 << 29), 1 << 29),
                           draw(0, 23),    draw(-128, 0),  draw(0, 127)};
        for (size_t i = 0; i < 200; i++) {
            a[i] = (int8_t)draw(-128, 127);
            b[i] = (int8_t)draw(-128, 127);
        }
        memset(expected, 0, sizeof expected);
        memset(got, 0, sizeof got);
        sfi_sum_s8(&s, a, b, count, expected);
        fast(&s, a, b, count, got);
        CHECK(memcmp(expected, got, sizeof got) == 0);
    }
}

static void look_ups(sfi_look_up_kernel fast)
{
    int8_t table[256], x[300], expected[300], got[300];
    for (size_t i = 0; i < 256; i++)
        table[i] = (int8_t)draw(-128, 127);
    for (size_t i = 0; i < 300; i++)
        x[i] = (int8_t)draw(-128, 127);
    for (size_t count = 0; count <= 300; count++) {
        memset(expected, 0, sizeof expected);
        memset(got, 0, sizeof got);
        sfi_look_up(table, x, count, expected);
        fast(table, x, count, got);
        CHECK(memcmp(expected, got, sizeof got) == 0 && (count == 0 || got[0] == table[x[0] + 128]));
    }
}

/* Equal elements have the largest power each. */
static void softmaxes(const sfi_kernels* fast)
{
    static sfi_power_table table;
    uint32_t power[2][320];
    int8_t x[300];
    int16_t y[2][300];
    for (uint32_t i = 0; i < SFI_DISTANCES; i++) {
        table.power[i] = i == 0 ? 1u << 30 : (uint32_t)draw(0, 1 << 30);
        for (uint32_t k = 0; k < sizeof(uint32_t); k++)
            table.byte[k][i] = (uint8_t)(table.power[i] >> (8 * k));
    }
    for (uint32_t count = 1; count <= 300; count++) {
        const int32_t least = count % 3 == 0 ? 127 : -128, shift = draw(31, 63);
        const sfi_divisor d = {(uint64_t)1 << (shift > 62 ? 62 : shift - 1),
                               (uint32_t)draw(1, (1 << 30)) * 2u + 1u,
                               (uint32_t)shift,
                               draw(-128, 127),
                               draw(-128, 0),
                               draw(0, 127),
                               count % 2 ? SF_S16 : SF_S8};
        for (size_t i = 0; i < 300; i++)
            x[i] = (int8_t)draw(least, 127);
        const uint64_t sum = sfi_powers(&table, x, count, 127, power[0]);
        CHECK(sum == fast->powers(&table, x, count, 127, power[1]));
        CHECK(memcmp(power[0], power[1], count * sizeof power[0][0]) == 0);
        memset(y, 0, sizeof y);
        sfi_quotients(&d, power[0], count, y[0]);
        fast->quotients(&d, power[1], count, y[1]);
        CHECK(memcmp(y[0], y[1], sizeof y[0]) == 0);
    }
}

/* Rows of up to 100 channels, with one pair or a pair for each, and the largest parameters there are. */
static void norms(sfi_norm_kernel fast)
{
    for (int trial = 0; trial < 600; trial++) {
        const int32_t count = draw(1, 100);
        int16_t gamma[100], y[2][100];
        int32_t beta[100], pairs[200], x[2][100], total = 0;
        for (int32_t j = 0; j < count; j++) {
            gamma[j] = (int16_t)draw(-32767, 32767);
            beta[j] = trial % 4 ? draw(-(1 << 20), 1 << 20) : trial % 8 ? (1 << 30) - 1 : -(1 << 30);
            x[0][j] = x[1][j] = draw(-32768, 32767);
            pairs[2 * j] = draw(0, 65535);
            pairs[2 * j + 1] = draw(17, 40);
            total += x[0][j];
        }
        const sfi_norm n = {count,
                            total,
                            (uint32_t)draw(1 << 30, 2147483647) + (uint32_t)draw(0, 1 << 29),
                            (uint32_t)draw(34, 62),
                            gamma,
                            beta,
                            pairs,
                            trial % 3 ? 2 : 0,
                            draw(-128, 127),
                            draw(-128, 0),
                            draw(0, 127),
                            trial % 2 ? SF_S16 : SF_S8};
        memset(y, 0, sizeof y);
        sfi_norm_row(&n, 0, x[0], y[0]);
        fast(&n, 0, x[1], y[1]);
        CHECK(memcmp(y[0], y[1], sizeof y[0]) == 0);
    }
}

/* Lines of windows in exactly the bytes they may touch: the sanitizers see the rest. */
static void windows(sfi_max_line_kernel kernel)
{
    for (int trial = 0; trial < 3000; trial++) {
        const uint32_t channels = (uint32_t)draw(1, trial % 2 ? 100 : 17), width = 12;
        sfi_max_line v = {NULL,
                          NULL,
                          (uint32_t)draw(1, 5),
                          channels,
                          (size_t)draw(1, 2) * channels,
                          draw(0, 3),
                          draw(1, 3),
                          width * channels,
                          (size_t)draw(1, 2) * channels,
                          (int8_t)draw(-128, 0),
                          (int8_t)draw(0, 127),
                          0};
        const size_t last_tap = v.taps_y > 0 ? (size_t)(v.taps_y - 1) * v.row + (size_t)(v.taps_x - 1) * v.step : 0;
        size_t x_bytes = last_tap + (v.positions - 1) * v.stride + channels, y_bytes = v.positions * channels;
        v.loose = v.taps_y > 0 && draw(0, 1);
        if (v.loose && channels < 16) {
            x_bytes += 16 - channels;
            y_bytes += 16 - channels;
        }
        int8_t *x = malloc(x_bytes), *expected = malloc(y_bytes), *got = malloc(y_bytes);
        CHECK(x != NULL && expected != NULL && got != NULL);
        for (size_t i = 0; i < x_bytes; i++)
            x[i] = (int8_t)draw(-128, 127);
        v.x = x;
        v.y = expected;
        sfi_max_line_any(&v);
        v.y = got;
        kernel(&v);
        CHECK(memcmp(expected, got, v.positions * channels) == 0);
        free(x);
        free(expected);
        free(got);
    }
}

static uint32_t half_word(const uint32_t counter[4], const uint32_t key[2], uint32_t element)
{
    const uint32_t at[4] = {counter[0] + element / 8, counter[1], counter[2], counter[3]};
    uint32_t words[4];
    sf_philox(at, key, words);
    return words[element % 8 / 2] >> 16 * (element % 2) & 0xffffu;
}

static int32_t normal(uint32_t u)
{
    const int32_t slot = u & 255, entry = sfi_table_alias[slot];
    return ((int32_t)(u >> 8) < (entry & 255) ? slot : entry >> 8) - 128;
}

static int32_t binomial(uint32_t u)
{
    int32_t heads = 0;
    for (; u > 0; u &= u - 1)
        heads++;
    return sfi_clamp(18 * (heads - 8), -127, 127);
}

/* Groups of elements against the definitions of the contract, section 6; the block number wraps around. */
static void groups(const sfi_draw_kernels* fast)
{
    enum { GROUPS = 400 };
    static int8_t z[GROUPS * SFI_DRAW], coins[GROUPS * SFI_DRAW];
    static uint16_t u[GROUPS * SFI_DRAW];
    const uint32_t counter[4] = {0xffffff00u, 3, 7, 0x89abcdefu}, key[2] = {0x9abcdef0u, 0x12345678u};
    uint32_t keys[20];
    for (uint32_t round = 0; round < 10; round++) {
        keys[2 * round] = key[0] + round * 0x9E3779B9u;
        keys[2 * round + 1] = key[1] + round * 0xBB67AE85u;
    }
    if (fast->normal == NULL)
        return;
    fast->normal(counter, keys, GROUPS, z);
    fast->binomial(counter, keys, GROUPS, coins);
    fast->halves(counter, keys, GROUPS, u);
    for (uint32_t i = 0; i < GROUPS * SFI_DRAW; i++) {
        const uint32_t half = half_word(counter, key, i);
        CHECK(u[i] == half && z[i] == normal(half) && coins[i] == binomial(half));
    }
    for (uint32_t i = 0; i < 200; i++) {
        const uint32_t words[4] = {i == 0 ? 0 : state, ~0u, i, state * 69069u};
        fast->signs(words, z);
        for (uint32_t e = 0; e < 128; e++)
            CHECK(z[e] == (words[e / 32] >> e % 32 & 1 ? 36 : -36));
        draw(0, 1);
    }
}

/* Directions and half-words from any element on, whichever way they are made. */
static void pieces(void)
{
    const uint64_t seed = 0x123456789abcdef0u;
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, counter[4] = {0, 3, 7, 5};
    static int8_t z[400], coins[400], signs[400];
    static uint16_t u[400];
    for (uint32_t first = 0; first < 140; first += first < 20 ? 1 : 9)
        for (uint32_t count = 0; count < 400; count += 37) {
            sf_directions(SF_NORMAL, seed, 5, 7, 3, first, count, z);
            sf_directions(SF_BINOMIAL, seed, 5, 7, 3, first, count, coins);
            sf_directions(SF_RADEMACHER, seed, 5, 7, 3, first, count, signs);
            sf_halfwords(seed, 5, 7, 3, first, count, u);
            for (uint32_t i = 0; i < count; i++) {
                const uint32_t e = first + i, half = half_word(counter, key, e);
                uint32_t at[4] = {e / 128, 3, 7, 5}, words[4];
                CHECK(u[i] == half && z[i] == normal(half) && coins[i] == binomial(half));
                sf_philox(at, key, words);
                CHECK(signs[i] == (words[e % 128 / 32] >> e % 32 & 1 ? 36 : -36));
            }
        }
}

static void begin(const sfi_kernels* fast, size_t pairs)
{
    if (fast->begin != NULL)
        fast->begin((uint32_t)pairs);
}

static void end(const sfi_kernels* fast)
{
    if (fast->begin != NULL)
        fast->end();
}

int main(void)
{
    pieces();
    for (int level = SF_HOST_PLAIN; level <= SF_HOST_BEST; level++) {
        const sfi_kernels fast = sfi_choose_up_to(level);
        /* 3 * 40 pairs of products below 2^23 in magnitude stay below 2^31 */
        for (size_t pairs = 1; pairs <= PAIRS; pairs++)
            blocks(sfi_block_dot, fast.dot, pairs);
        for (size_t pairs = 1; pairs <= PAIRS; pairs += 3)
            grids(sfi_block_dot, fast.grid_dot, pairs, SFI_BLOCK_PANELS * SFI_PANEL);
        for (size_t pairs = 1; pairs <= PAIRS; pairs++)
            grids(sfi_block_dot, fast.grid_few, pairs, SFI_FEW_ROWS);
        for (size_t pairs = 1; fast.bytes != NULL && pairs <= PAIRS; pairs++) {
            byte_blocks(fast.bytes, fast.byte_flip, pairs);
            begin(&fast, pairs);
            grids(fast.bytes, fast.grid_bytes, pairs, SFI_BLOCK_PANELS * SFI_PANEL);
            end(&fast);
        }
        for (size_t fours = 1; fast.split != NULL && fours <= PAIRS; fours += fours < 20 ? 1 : 7) {
            begin(&fast, fours);
            splits(&fast, fours);
            end(&fast);
        }
        for (int trial = 0; trial < 50; trial++)
            blocks(sfi_block_window, fast.window, 1);
        for (int trial = 0; trial < 20; trial++)
            grids(sfi_block_window, fast.grid_window, 1, 64);
        rescales(fast.rows);
        interleaves(fast.interleave);
        adds(fast.add);
        look_ups(fast.look_up);
        softmaxes(&fast);
        norms(fast.norm);
        twins(fast.twins);
        panel_sums(fast.sums);
        windows(fast.max_line);
        groups(&fast.draw);
    }
    puts("fast paths: ok");
    return 0;
}
