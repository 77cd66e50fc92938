/* Products that add up to a gradient. */
#include "train/sums.h"

SFI_CLONES
void sfi_add_products(int32_t* sums, const int8_t* x, int32_t zero, int32_t error, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sums[i] += error * (x[i] - zero);
}

SFI_CLONES
static void add_alone(int32_t* sums, const int32_t* part, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sums[i] += part[i];
}

void sfi_add_all(int32_t* sums, const int32_t* part, uint32_t count, int shared)
{
    if (!shared) {
        add_alone(sums, part, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        sfi_add_to(sums + i, part[i]);
}
