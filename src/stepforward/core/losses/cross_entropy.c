/* Integer cross-entropy in bits (contract, section 5). */
#include "base/tables.h"
#include "losses/cross_entropy.h"
#include "stepforward.h"

int64_t sfi_exp2_negative(int64_t t)
{
    if (t >= (int64_t)31 << 16)
        return 0;
    int32_t k = (int32_t)(t >> 16), i = (int32_t)(t >> 8) & 255, r = (int32_t)t & 255;
    int64_t step = sfi_table_exp2[i] - sfi_table_exp2[i + 1];
    return (sfi_table_exp2[i] - ((step * r + 128) >> 8)) >> k;
}

static int64_t log2_of(int64_t s)
{
    int32_t k = 30;
    while (s >> (k + 1) != 0)
        k++;
    int64_t f = (s >> (k - 30)) - ((int64_t)1 << 30);
    int64_t i = f >> 22, r = f & (((int64_t)1 << 22) - 1);
    int64_t fraction = sfi_table_log2[i] + (((int64_t)(sfi_table_log2[i + 1] - sfi_table_log2[i]) * r) >> 22);
    return ((int64_t)(k - 30) << 16) + ((fraction + (1 << 13)) >> 14);
}

/* One function per type of the logits, so that nobody needs a copy of them. */
#define SFI_CROSS_ENTROPY(name, type) \
    int64_t name(const type* logits, uint32_t classes, uint32_t label, uint32_t mult, uint32_t shift) \
    { \
        int64_t half = shift > 0 ? (int64_t)1 << (shift - 1) : 0, sum = 0, at_label = 0; \
        type top = logits[0]; \
        for (uint32_t j = 1; j < classes; j++) \
            if (logits[j] > top) \
                top = logits[j]; \
        for (uint32_t j = 0; j < classes; j++) { \
            int64_t t = (((int64_t)top - logits[j]) * (int64_t)mult + half) >> shift; \
            sum += sfi_exp2_negative(t); \
            if (j == label) \
                at_label = t; \
        } \
        return log2_of(sum) + at_label; \
    }

SFI_CROSS_ENTROPY(sf_cross_entropy, int32_t)
SFI_CROSS_ENTROPY(sfi_cross_entropy_s16, int16_t)
SFI_CROSS_ENTROPY(sfi_cross_entropy_s8, int8_t)
