/* A pass of a block of samples through operators, and one call of an operator. */
#ifndef SFI_PASS_H
#define SFI_PASS_H

#include "base/machine.h"
#include "stepforward.h"

#define SFI_PANEL 16u /* rows of a panel on a host */

/* The way of devices: four rows and one patch at a time. Freestanding builds hold no other, so there this is a constant
 * that the compiler sees even when it does not optimize. */
#define sfi_for_device(row_tile) (!__STDC_HOSTED__ || (row_tile) == SF_DEVICE_ROWS)

/* The kernels that hosts choose when a call of the API begins (multiply/choose.h). */
typedef struct sfi_kernels sfi_kernels;

/* What a pass knows of statistics matching (multiply/matching.h). */
typedef struct sfi_matching sfi_matching;

/* One pass over a block of samples: the weights, and what to add to them. */
typedef struct sfi_pass {
    const sfi_kernels* kernels;
    const sf_program* program;
    const sf_plan* plan;
    const uint8_t* weights;
    const uint8_t* state;                /* plan->state_bytes, or NULL */
    const sf_perturbation* perturbation; /* NULL: plain weights */
    uint8_t* packed; /* hosts: packed weights of the operators that are run (operators/packing.h), or NULL: packed on
                        the way */
    int8_t* z;       /* hosts: where z of 16-bit weights is kept when twins are staged (sfi_kept_z), or NULL */
    sfi_matching* matching; /* devices: of one sample, or NULL */
} sfi_pass;

/* Where in such memory z of one tensor begins: an offset that it shares with no other tensor of 16-bit weights. */
SFI_INLINE size_t sfi_kept_z(const sf_tensor* t) { return (size_t)t->offset / 2; }

/* One operator of a pass, with its tensors resolved. */
typedef struct sfi_call {
    const sfi_pass* pass;
    const sf_op* op;
    const sf_tensor* in; /* first input */
    const sf_tensor* out;
    const void* x; /* first input's data */
    const void* inputs[SF_MAX_INPUTS];
    void* y;
    void* work;             /* what the operator's own layout asks for, 8-byte aligned */
    size_t work_bytes;      /* at least that; on a device all there is, and more of it is faster */
    uint8_t* packed;        /* this operator's packed weights, or NULL */
    uint32_t words_kept;    /* packing: words of this operator that lie there already are to be kept */
    sfi_matching* matching; /* where this operator is a site, or NULL */
    uint32_t n;
    uint32_t row_tile;
} sfi_call;

/* The packed memory of an operator: its tiles one after the other. */
typedef struct sfi_packing {
    uint32_t tiles;
    uint64_t tile_bytes; /* a multiple of a cache line */
} sfi_packing;

#endif
