/* What the checks of operators share, when a program is opened. Nothing that a file contains can make a kernel leave
 * its buffers: each check looks at every number that its operator's kernels rely on. */
#ifndef SFI_CHECK_H
#define SFI_CHECK_H

#include "base/machine.h"
#include "base/tensors.h"
#include "stepforward.h"

#define SFI_MAX_LENGTH ((int64_t)1 << 22) /* products of one sum: |acc| < 2^22 * 2^15 * 2^8 + 2^31 < 2^46 */
#define SFI_MAX_WORDS ((int64_t)1 << 15)  /* the same of inputs of 16 bits: |acc| < 2^15 * 2^15 * 2^15 + 2^31 < 2^46 */

SFI_INLINE int sfi_within(int64_t v, int64_t lo, int64_t hi) { return v >= lo && v <= hi; }

SFI_INLINE int sfi_fits_type(const sf_tensor* t, int64_t v)
{
    return t->dtype == SF_S16 ? sfi_within(v, -32768, 32767) : sfi_within(v, -128, 127);
}

/* SF_OK where the numbers of an operator fit and its types are ones that it has kernels for. */
SFI_INLINE sf_status sfi_checked(int fits, int supported)
{
    return !fits ? SF_BAD_OPERATOR : supported ? SF_OK : SF_UNSUPPORTED;
}

/* Whether the operator has no weights, and so many inputs and attributes. */
SFI_INLINE int sfi_is_bare(const sf_op* op, int32_t inputs, int32_t attributes)
{
    return op->weight == -1 && op->bias == -1 && op->input_count == inputs && op->attribute_count == attributes;
}

int sfi_same_shape(const sf_tensor* a, const sf_tensor* b);
int sfi_has_dims(const sf_tensor* t, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d);

/* A window against the two images. */
int sfi_window_fits(const sfi_window* w, const sf_tensor* in, const sf_tensor* out);

/* Whether the operator has one input, weights, a bias and so many attributes; and whether the weights are `rows` rows
 * of `length`. */
int sfi_has_parameters(const sf_op* op, int32_t attributes);
int sfi_parameters_fit(const sf_program* p, const sf_op* op, int64_t rows, int64_t length);

/* Whether all inputs are s8. */
int sfi_reads_bytes(const sf_program* p, const sf_op* op);

/* The same, or whether the one input is s16 with zero point 0, and sums of `length` products stay inside 46 bits. */
int sfi_reads_words(const sf_program* p, const sf_op* op, int64_t length);

#endif
