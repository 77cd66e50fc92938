/* Sums of two tensors, both rescaled. */
#include "base/machine.h"
#include "multiply/host/plain/plain.h"
#include "multiply/sum.h"

SFI_CLONES
void sfi_sum_s8(const sfi_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y)
{
    const sfi_sum local = *s; /* y may not alias it, for all the compiler knows */
    for (size_t i = 0; i < count; i++)
        y[i] = (int8_t)sfi_sum_of(&local, a[i], b[i], 0);
}
