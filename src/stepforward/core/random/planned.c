/* Directions as a plan has them. */
#include "base/integers.h"
#include "base/machine.h"
#include "random/draw.h"
#include "random/mask.h"
#include "random/planned.h"
#include "stepforward.h"

SFI_CLONES
static void guide(const int8_t* restrict h, uint32_t count, int32_t share, int32_t drawn, int8_t* restrict z)
{
    for (uint32_t i = 0; i < count; i++)
        z[i] = (int8_t)sfi_clamp((drawn * z[i] + share * h[i] + (1 << 14)) >> 15, -127, 127);
}

void sfi_draw_planned(const sfi_stream* stream, const sf_program* program, const sf_plan* plan, const void* state,
                      const sf_trainable* entry, uint32_t first, uint32_t count, int8_t* z)
{
    sfi_draw(stream, plan->distribution, first, count, z);
    if (plan->guide_share > 0 && stream->step > 0)
        guide((const int8_t*)state + plan->guide_first + entry->element_first + first, count,
              (int32_t)plan->guide_share, (int32_t)plan->drawn_share, z);
    sfi_mask(stream, program, plan, entry, first, count, z);
}
