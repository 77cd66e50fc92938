/* The matrices that a product of two tensors multiplies, and how a host does it. */
#ifndef SFI_MATMUL_H
#define SFI_MATMUL_H

#include "base/machine.h"
#include "base/pass.h"
#include "base/tensors.h"
#include "stepforward.h"

/* `places` products of (height, length) by (length, width), the second stored by its columns where transposed. */
typedef struct sfi_matrices {
    size_t places, height, length, width;
    int transposed;
} sfi_matrices;

SFI_INLINE sfi_matrices sfi_matrices_of(const sf_program* p, const sf_op* op)
{
    const sf_tensor *a = sfi_input(p, op, 0), *out = sfi_output(p, op);
    sfi_matrices s = {1, (size_t)a->dims[a->rank - 2], (size_t)a->dims[a->rank - 1], (size_t)out->dims[out->rank - 1],
                      sfi_attribute(p, op, 0)};
    s.places = (size_t)a->elements / (s.height * s.length);
    return s;
}

uint64_t sfi_matmul_host_bytes(const sfi_matrices* s);
void sfi_matmul_host(const sfi_call* call, const sfi_matrices* s, size_t places, int32_t zero_b);

#endif
