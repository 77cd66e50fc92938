/* Tables of 256 bytes in registers. */
#ifndef SFI_BYTES_VBMI_H
#define SFI_BYTES_VBMI_H

#include "base/machine.h"
#include "base/targets.h"

#if SFI_X86
#include <immintrin.h>

typedef struct sfi_bytes {
    __m512i part[4];
} sfi_bytes;

SFI_VBMI_INLINE sfi_bytes sfi_bytes_load(const void* table)
{
    sfi_bytes t;
    for (uint32_t i = 0; i < 4; i++)
        t.part[i] = _mm512_loadu_si512((const uint8_t*)table + 64 * i);
    return t;
}

/* table[index] of 64 bytes; an instruction looks up in 128 entries. */
SFI_VBMI_INLINE __m512i sfi_bytes_at(const sfi_bytes* t, __m512i index)
{
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), _mm512_permutex2var_epi8(t->part[0], index, t->part[1]),
                                  _mm512_permutex2var_epi8(t->part[2], index, t->part[3]));
}

#endif
#endif
