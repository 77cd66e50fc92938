/* Reading the records of a program: rescaling pairs, activations, windows. */
#ifndef SFI_TENSORS_H
#define SFI_TENSORS_H

#include "base/machine.h"
#include "stepforward.h"

SFI_INLINE const int32_t* sfi_rescale_pair(const sf_program* program, const sf_op* op, uint32_t index)
{
    return program->constants + op->rescale_first + 2 * (int32_t)index;
}

SFI_INLINE size_t sfi_element_bytes(const sf_tensor* activation) { return activation->dtype == SF_S16 ? 2 : 1; }

SFI_INLINE void sfi_store(void* data, int32_t dtype, size_t index, int32_t value)
{
    if (dtype == SF_S16)
        ((int16_t*)data)[index] = (int16_t)value;
    else
        ((int8_t*)data)[index] = (int8_t)value;
}

/* Half-open range of kernel taps whose input position lies inside [0, size): tap t reads origin + t * dilation. */
SFI_INLINE void sfi_taps(int32_t origin, int32_t dilation, int32_t kernel, int32_t size, int32_t* first, int32_t* last)
{
    if (origin >= 0 && origin + (kernel - 1) * dilation < size) { /* the inside of the image, without a division */
        *first = 0;
        *last = kernel;
        return;
    }
    *first = origin >= 0 ? 0 : (-origin + dilation - 1) / dilation;
    *last = origin >= size ? 0 : (size - 1 - origin) / dilation + 1;
    if (*last > kernel)
        *last = kernel;
    if (*first > *last)
        *first = *last;
}

#endif
