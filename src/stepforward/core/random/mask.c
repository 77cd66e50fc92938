/* Masks (contract, section 6): followed again wherever a direction is drawn, so that none has to be stored but bits. */
#include "base/integers.h"
#include "base/machine.h"
#include "base/weights.h"
#include "random/draw.h"
#include "random/mask.h"
#include "stepforward.h"

#define MASK_STREAM 0xFFFFFFFDu

static void by_seed(const sfi_stream* stream, uint32_t keep, uint32_t first, uint32_t count, int8_t* z)
{
    sfi_stream s = *stream;
    uint16_t u[SFI_CHUNK];
    s.direction = MASK_STREAM;
    s.step = 0;
    for (uint32_t at = 0, some; at < count; at += some) {
        some = sfi_min_u32(SFI_CHUNK, count - at);
        sfi_draw_halfwords(&s, first + at, some, u);
        for (uint32_t i = 0; i < some; i++)
            z[at + i] = (int8_t)(u[i] < keep ? z[at + i] : 0);
    }
}

/* Absolute value of element e as it lies in the program's file. */
static uint32_t size_of(const sf_tensor* t, const uint8_t* base, uint32_t e)
{
    int32_t w;
    if (t->dtype == SF_S16)
        w = ((const int16_t*)(const void*)base)[e];
    else if (t->dtype == SF_S8)
        w = ((const int8_t*)base)[e];
    else if (t->dtype == SF_S32)
        w = ((const int32_t*)(const void*)base)[e];
    else
        w = (int32_t)((((uint32_t)base[e >> 1] >> (4u * (e & 1u))) & 15u) ^ 8u) - 8;
    return w < 0 ? 0u - (uint32_t)w : (uint32_t)w;
}

static void by_size(const sf_tensor* t, const uint8_t* base, const uint8_t* thresholds, uint32_t scalers,
                    uint32_t first, uint32_t count, int8_t* z)
{
    const uint32_t divisor = (uint32_t)t->channel_divisor;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t e = first + i;
        const uint32_t channel = scalers == 1 ? 0 : t->channel_rule == 1 ? e / divisor : e % divisor;
        if (size_of(t, base, e) < sfi_word(thresholds + 4 * (size_t)channel))
            z[i] = 0;
    }
}

static void by_bits(const uint8_t* bits, uint32_t first, uint32_t count, int8_t* z)
{
    for (uint32_t i = 0; i < count; i++)
        if (((uint32_t)bits[(first + i) >> 3] >> ((first + i) & 7u) & 1u) == 0)
            z[i] = 0;
}

void sfi_mask(const sfi_stream* stream, const sf_program* program, const sf_plan* plan, const sf_trainable* entry,
              uint32_t first, uint32_t count, int8_t* z)
{
    if (plan->masks == NULL)
        return;
    const sf_mask* mask = plan->masks + (entry - plan->trainables);
    const uint8_t* words = (const uint8_t*)plan->mask_words + 4 * (size_t)mask->first;
    if (mask->form == SFI_MASK_RANDOM)
        by_seed(stream, sfi_word(words), first, count, z);
    else if (mask->form == SFI_MASK_LEAST)
        by_size(program->tensors + entry->tensor,
                sfi_weight_at(program, NULL, sf_program_weights(program), entry->tensor), words, entry->scaler_count,
                first, count, z);
    else
        by_bits(words, first, count, z);
}
