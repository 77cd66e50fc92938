/* Entries of a table with AVX-512, 64 at a time. */
#include "base/machine.h"
#include "base/targets.h"
#include "multiply/host/avx512/avx512.h"
#include "multiply/host/avx512/bytes_vbmi.h"
#include "multiply/host/plain/plain.h"

#if SFI_X86

SFI_VBMI void sfi_look_up_vbmi(const int8_t table[256], const int8_t* x, size_t count, int8_t* y)
{
    const sfi_bytes entries = sfi_bytes_load(table);
    const __m512i first = _mm512_set1_epi8(-128);
    size_t i = 0;
    for (; i + 64 <= count; i += 64)
        _mm512_storeu_si512(y + i, sfi_bytes_at(&entries, _mm512_xor_si512(_mm512_loadu_si512(x + i), first)));
    sfi_look_up(table, x + i, count - i, y + i);
}

#endif
