/* Reading the records of a program: an operator's tensors, attributes and rescaling pairs, activations, windows. */
#ifndef SFI_TENSORS_H
#define SFI_TENSORS_H

#include "base/machine.h"
#include "stepforward.h"

/* What an operator has of variable length are ranges of the constants, checked when the program is opened. */
SFI_INLINE int32_t sfi_input_index(const sf_program* program, const sf_op* op, int32_t index)
{
    return program->constants[op->inputs_first + index];
}

SFI_INLINE const sf_tensor* sfi_input(const sf_program* program, const sf_op* op, int32_t index)
{
    return program->tensors + sfi_input_index(program, op, index);
}

SFI_INLINE int32_t sfi_output_index(const sf_program* program, const sf_op* op)
{
    return program->constants[op->outputs_first];
}

SFI_INLINE const sf_tensor* sfi_output(const sf_program* program, const sf_op* op)
{
    return program->tensors + sfi_output_index(program, op);
}

SFI_INLINE int32_t sfi_attribute(const sf_program* program, const sf_op* op, int32_t index)
{
    return program->constants[op->attributes_first + index];
}

/* A window that slides over an image: the first attributes of the operators that have one, as they lie in the file. */
typedef struct sfi_window {
    int32_t kernel_h, kernel_w;
    int32_t stride_h, stride_w;
    int32_t pad_top, pad_left, pad_bottom, pad_right;
    int32_t dilation_h, dilation_w;
} sfi_window;

#define SFI_WINDOW_WORDS 10

SFI_INLINE const sfi_window* sfi_window_of(const sf_program* program, const sf_op* op)
{
    return (const sfi_window*)(const void*)(program->constants + op->attributes_first);
}

/* Of a convolution: the attribute after its window. */
SFI_INLINE uint32_t sfi_groups(const sf_program* program, const sf_op* op)
{
    return (uint32_t)sfi_attribute(program, op, SFI_WINDOW_WORDS);
}

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

SFI_INLINE int32_t sfi_load(const void* data, int32_t dtype, size_t index)
{
    return dtype == SF_S16 ? ((const int16_t*)data)[index] : ((const int8_t*)data)[index];
}

/* out = elements of a tensor of activations, count of them: one loop for each type, which compilers vectorise. */
SFI_INLINE void sfi_load_all(const void* data, int32_t dtype, size_t count, int32_t* out)
{
    const int16_t* words = (const int16_t*)data;
    const int8_t* bytes = (const int8_t*)data;
    if (dtype == SF_S16)
        for (size_t i = 0; i < count; i++)
            out[i] = words[i];
    else
        for (size_t i = 0; i < count; i++)
            out[i] = bytes[i];
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
