/* Which kernels this machine gets, and the plain ones. */
#include "winograd.h"

#if __STDC_HOSTED__

sf_host_kernels sf_host_choose(int level)
{
    sf_host_kernels k = {0};
    k.dot = sf_block_dot;
    k.window = sf_block_window;
    k.bytes = sf_block_bytes;
    k.row = sf_winograd_row;
    k.picture = sf_winograd_picture;
    k.rows = sf_rows_each;
    k.interleave = sf_interleave;
    k.add = sf_sum_s8;
    k.sums = sf_sums;
    k.twins = sf_twins;
#if SF_X86
    if (level >= SF_HOST_AVX2 && __builtin_cpu_supports("avx2")) {
        k.dot = sf_block_dot_avx2;
        k.bytes = NULL; /* VPMADDUBSW saturates */
        k.window = sf_block_window_avx2;
        k.grid_dot = sf_grid_dot_avx2;
        k.grid_window = sf_grid_window_avx2;
        k.row = sf_winograd_row_avx2;
        k.picture = sf_winograd_picture_avx2;
        k.winograd = sf_winograd_avx2;
        k.interleave = sf_interleave_avx2;
    }
    if (level >= SF_HOST_VNNI && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl")) {
        k.dot = sf_block_dot_vnni;
        k.bytes = sf_block_bytes_vnni;
        k.byte_flip = 128;
        k.grid_bytes = sf_grid_bytes_vnni;
        k.window = sf_block_window_vnni;
        k.grid_dot = sf_grid_dot_vnni;
        k.grid_window = sf_grid_window_vnni;
        k.grid_few = sf_grid_few_vnni;
        k.picture = sf_winograd_picture_avx512;
        k.winograd = sf_winograd_vnni;
        k.rows = sf_rows_avx512;
        k.interleave = sf_interleave_avx512;
        k.add = sf_sum_vnni;
        k.sums = sf_sums_vnni;
        k.twins = sf_twins_avx512;
        k.moves = sf_moves_avx512;
    }
#elif SF_NEON
    if (level > SF_HOST_PLAIN) {
        k.dot = sf_block_dot_neon;
        k.bytes = sf_has_dot_neon() ? sf_block_bytes_neon : NULL;
        k.window = sf_block_window_neon;
    }
#else
    (void)level;
#endif
    return k;
}

sf_rows sf_rows_from(const sf_rows* rows, uint32_t first)
{
    sf_rows r = *rows;
    r.bias += first;
    r.mult += first;
    r.half += first;
    r.shift += first;
    r.reach += first;
    return r;
}

/* Eight positions of which the last ones, or none, lie in the next row: without a branch, for where a row ends differs every time. */
static void turn_once(sf_cursor* c, sf_eight* eight)
{
    const sf_grid* g = c->grid;
    const uint32_t left = g->width - c->x; /* at most eight */
    const int16_t* line = c->line + g->down;
    const size_t line_at = c->line_at + g->out_down;
    for (uint32_t p = 0; p < SF_BLOCK_PATCHES; p++) {
        const size_t back = p < left ? 0 : left * g->across, at_back = p < left ? 0 : left * g->out_across;
        eight->patches[p] = (p < left ? c->patch : line) + (p * g->across - back);
        eight->at[p] = (p < left ? c->at : line_at) + (p * g->out_across - at_back);
    }
    c->x = SF_BLOCK_PATCHES - left;
    c->y++;
    c->line = line;
    c->line_at = line_at;
    c->patch = line + c->x * g->across;
    c->at = line_at + c->x * g->out_across;
}

uint32_t sf_grid_turn(sf_cursor* c, sf_eight* eight)
{
    const sf_grid* g = c->grid;
    uint32_t p = 0;
    if (g->width >= SF_BLOCK_PATCHES && c->y + 1 < g->rows) {
        turn_once(c, eight);
        return eight->count = SF_BLOCK_PATCHES;
    }
    for (; p < SF_BLOCK_PATCHES && c->y < g->rows; p++) {
        eight->patches[p] = c->patch;
        eight->at[p] = c->at;
        c->patch += g->across;
        c->at += g->out_across;
        if (++c->x == g->width) {
            c->x = 0;
            c->y++;
            c->patch = c->line += g->down;
            c->at = c->line_at += g->out_down;
        }
    }
    eight->count = p;
    for (; p < SF_BLOCK_PATCHES; p++) {
        eight->patches[p] = eight->patches[0];
        eight->at[p] = eight->at[0];
    }
    return eight->count;
}

void sf_store_few(sf_panel_outputs few, uint32_t count, int8_t* y, const size_t* at)
{
    for (uint32_t p = 0; p < SF_BLOCK_PATCHES; p++) {
        const int8_t* from = few[p];
        int8_t* to = y + at[p];
        if (count & 8) {
            sf_copy(to, from, 8);
            from += 8;
            to += 8;
        }
        if (count & 4) {
            sf_copy(to, from, 4);
            from += 4;
            to += 4;
        }
        if (count & 2) {
            sf_copy(to, from, 2);
            from += 2;
            to += 2;
        }
        if (count & 1)
            *to = *from;
    }
}

/* The elements of every pair apart, so that a compiler sees rows side by side; all patches take them. Sums are modulo 2^32, as
 * Winograd's may be (winograd.h). */
SF_CLONES
void sf_block_dot(const sf_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++) {
        const int16_t* w = b->words + j * b->panel;
        uint32_t sum[SF_BLOCK_PATCHES][SF_PANEL] = {{0}};
        for (size_t s = 0; s < b->segments; s++)
            for (size_t k = 0; k < b->pairs; k++, w += 2 * SF_PANEL) {
                int16_t even[SF_PANEL], odd[SF_PANEL];
                for (size_t r = 0; r < SF_PANEL; r++) {
                    even[r] = w[2 * r];
                    odd[r] = w[2 * r + 1];
                }
                for (size_t p = 0; p < SF_BLOCK_PATCHES; p++) {
                    const int16_t* x = patches[p] + b->offsets[s] + 2 * k;
                    const int16_t first = x[0], second = x[1];
                    for (size_t r = 0; r < SF_PANEL; r++)
                        sum[p][r] += (uint32_t)(even[r] * first + odd[r] * second);
                }
            }
        for (size_t p = 0; p < SF_BLOCK_PATCHES; p++)
            sf_copy(acc + p * acc_stride + j * SF_PANEL, sum[p], sizeof sum[p]);
    }
}

SF_CLONES
void sf_block_bytes(const sf_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++) {
        const int8_t* w = (const int8_t*)(b->words + j * b->panel);
        int32_t sum[SF_BLOCK_PATCHES][SF_PANEL] = {{0}};
        for (size_t s = 0; s < b->segments; s++)
            for (size_t k = 0; k < b->pairs; k++, w += 4 * SF_PANEL)
                for (size_t p = 0; p < SF_BLOCK_PATCHES; p++) {
                    const int8_t* x = (const int8_t*)(patches[p] + b->offsets[s] + 2 * k);
                    for (size_t r = 0; r < SF_PANEL; r++)
                        sum[p][r] += w[4 * r] * x[0] + w[4 * r + 1] * x[1] + w[4 * r + 2] * x[2] + w[4 * r + 3] * x[3];
                }
        for (size_t p = 0; p < SF_BLOCK_PATCHES; p++)
            sf_copy(acc + p * acc_stride + j * SF_PANEL, sum[p], sizeof sum[p]);
    }
}

SF_CLONES
void sf_block_window(const sf_block* b, const int16_t* const* patches, uint32_t panels, int32_t* acc, size_t acc_stride)
{
    for (uint32_t j = 0; j < panels; j++)
        for (size_t p = 0; p < SF_BLOCK_PATCHES; p++) {
            const int16_t* w = b->words + j * b->panel;
            int32_t sum[2 * SF_PANEL] = {0};
            for (size_t s = 0; s < b->segments; s++, w += 2 * SF_PANEL) {
                const int16_t* x = patches[p] + b->offsets[s] + j * 2 * SF_PANEL;
                for (size_t i = 0; i < 2 * SF_PANEL; i++)
                    sum[i] += w[i] * x[i];
            }
            for (size_t r = 0; r < SF_PANEL; r++)
                acc[p * acc_stride + j * SF_PANEL + r] = sum[2 * r] + sum[2 * r + 1];
        }
}

void sf_rows_each(const sf_rows* rows, const int32_t* acc, uint32_t capacity, uint32_t count, uint32_t positions, void* y,
                  const size_t* at)
{
    for (uint32_t p = 0; p < positions; p++)
        sf_rows_narrow(rows, acc + (size_t)p * capacity, capacity, count, 1, y, at[p], 0);
}

void sf_interleave(const int8_t* a, const int8_t* b, size_t count, int32_t zero, int16_t* out)
{
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = (int16_t)(a[i] - zero);
        out[2 * i + 1] = (int16_t)(b[i] - zero);
    }
}

#endif
