/* An operator: all that the core knows of one kind. */
#ifndef SF_OPERATOR_H
#define SF_OPERATOR_H

#include "base/pass.h"
#include "stepforward.h"

/* On hosts, operators with rows of weights: how many tiles they are packed in, and packing one of them into call->packed. twin: NULL, or the
 * same call for the probe of opposite sign, which draws no z of its own. */
typedef struct sf_packable {
    sf_packing (*packing)(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
    void (*pack)(const sf_call* call, const sf_call* twin, uint32_t tile);
} sf_packable;

typedef struct sf_operator {
    /* when a program is opened: every number, shape and constant; indices are in range by then */
    sf_status (*check)(const sf_program* program, const sf_op* op);
    /* bytes of working memory behind the activations; NULL: none. plain: on a device, for weights that are never perturbed */
    uint64_t (*work)(const sf_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile, int plain);
    void (*run)(const sf_call* call);
    const sf_packable* packable; /* NULL: nothing is packed */
} sf_operator;

extern const sf_operator sf_conv, sf_depthwise, sf_fully_connected, sf_add, sf_rescale, sf_max_pool, sf_average_pool, sf_pad, sf_concat,
    sf_transpose, sf_reshape;

/* The operator of a kind, or NULL if this core was linked without it. A firmware may link a shorter table (firmware/README.md). */
const sf_operator* sf_operator_of(int32_t kind);

#endif
