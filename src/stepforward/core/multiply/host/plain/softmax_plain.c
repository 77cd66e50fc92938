/* Powers and quotients of softmax. */
#include "base/integers.h"
#include "base/machine.h"
#include "multiply/host/plain/plain.h"
#include "multiply/softmax.h"
#include "stepforward.h"

uint64_t sfi_powers(const sfi_power_table* table, const int8_t* x, uint32_t count, int32_t top, uint32_t* power)
{
    uint64_t sum = 0;
    for (uint32_t j = 0; j < count; j++) {
        power[j] = table->power[top - x[j]];
        sum += power[j];
    }
    return sum;
}

SFI_CLONES
void sfi_quotients(const sfi_divisor* d, uint32_t* power, uint32_t count, void* y)
{
    const sfi_divisor own = *d;
    for (uint32_t j = 0; j < count; j++)
        power[j] = (uint32_t)sfi_clamp(
            (int32_t)(((uint64_t)power[j] * own.inverse + own.half) >> own.shift) + own.zero_point, own.lo, own.hi);
    if (own.dtype == SF_S16)
        for (uint32_t j = 0; j < count; j++)
            ((int16_t*)y)[j] = (int16_t)power[j];
    else
        for (uint32_t j = 0; j < count; j++)
            ((int8_t*)y)[j] = (int8_t)power[j];
}
