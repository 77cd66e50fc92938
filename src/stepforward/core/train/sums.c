/* Products that add up to a gradient. */
#include "train/sums.h"

SFI_CLONES
void sfi_add_products(int32_t* sums, const int8_t* x, int32_t zero, int32_t error, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sums[i] += error * (x[i] - zero);
}
