/* Sums of two tensors, both rescaled. */
#include "base/machine.h"
#include "multiply/host/plain/plain.h"
#include "multiply/sum.h"

SF_CLONES
void sf_sum_s8(const sf_sum* s, const int8_t* a, const int8_t* b, size_t count, int8_t* y)
{
    const sf_sum local = *s; /* y may not alias it, for all the compiler knows */
    for (size_t i = 0; i < count; i++)
        y[i] = (int8_t)sf_sum_of(&local, a[i], b[i], 0);
}
