/* What a host keeps of a tile's rows besides their words: bounds, biases and scales. */
#include "base/machine.h"
#include "base/pass.h"
#include "multiply/host/packed_rows.h"
#include "multiply/rows.h"
#include "multiply/stage.h"

static uint64_t cache_lines(uint64_t bytes) { return (bytes + 63) & ~(uint64_t)63; }

uint64_t sfi_packed_rows_bytes(uint32_t capacity)
{
    return cache_lines(cache_lines(sizeof(sfi_packed_rows)) + 2 * capacity * sizeof(int64_t) + capacity / SFI_PANEL +
                       sfi_rows_bytes(capacity));
}

void sfi_packed_rows_open(sfi_packed_rows* p, uint32_t capacity, uint32_t count)
{
    uint8_t* at = (uint8_t*)p + cache_lines(sizeof *p);
    p->count = count;
    p->reach = (int64_t*)(void*)at;
    p->surplus = p->reach + capacity;
    p->transformed = sfi_rows_carve(&p->rows, at + 2 * capacity * sizeof(int64_t), capacity);
    sfi_fill(p->surplus, 0, capacity * sizeof *p->surplus);
}

static void scale(sfi_packed_rows* p, const sfi_call* call, uint32_t first_row)
{
    sfi_copy(p->rows.reach, p->reach, p->count * sizeof *p->reach);
    sfi_rows_scale(&p->rows, call, first_row, p->count, 1);
    /* modulo 2^32; the sum of a narrow row with its surplus and this bias is back inside int32 */
    for (uint32_t r = 0; p->rows.narrow && r < p->count; r++)
        p->rows.bias[r] = (int32_t)((uint32_t)p->rows.bias[r] - (uint32_t)p->surplus[r]);
}

void sfi_packed_rows_prepare(sfi_packed_rows* p, sfi_packed_rows* twin, const sfi_call* call, uint32_t first_row)
{
    sfi_stage_twins_s32(call->pass, (uint32_t)call->op->bias, first_row, p->count, p->rows.bias,
                        twin != NULL ? twin->rows.bias : NULL);
    scale(p, call, first_row);
    if (twin != NULL)
        scale(twin, call, first_row);
}
