/* An operator: all that the core knows of one kind. */
#ifndef SFI_OPERATOR_H
#define SFI_OPERATOR_H

#include "base/pass.h"
#include "stepforward.h"

/* On hosts, operators with rows of weights: how many tiles they are packed in, and packing one of them into
 * call->packed. twin: NULL, or the same call for the probe of opposite sign, which draws no z of its own. */
typedef struct sfi_packable {
    sfi_packing (*packing)(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile);
    void (*pack)(const sfi_call* call, const sfi_call* twin, uint32_t tile);
} sfi_packable;

typedef struct sfi_operator {
    /* when a program is opened: every number, shape and constant; indices are in range by then */
    sf_status (*check)(const sf_program* program, const sf_op* op);
    /* bytes of working memory after the activations; NULL: none. plain: on a device, for weights that are never
     * perturbed */
    uint64_t (*work)(const sfi_kernels* kernels, const sf_program* program, const sf_op* op, uint32_t row_tile,
                     int plain);
    void (*run)(const sfi_call* call);
    const sfi_packable* packable; /* NULL: nothing is packed */
    int rounds;                   /* whether it also rounds as other runtimes do (base/rounding.h) */
} sfi_operator;

/* Kinds, as a program's file numbers them: in the order in which they came. */
enum {
    SFI_CONV = 1,
    SFI_DEPTHWISE,
    SFI_FULLY_CONNECTED,
    SFI_ADD,
    SFI_RESCALE,
    SFI_MAX_POOL,
    SFI_AVERAGE_POOL,
    SFI_PAD,
    SFI_CONCAT,
    SFI_TRANSPOSE,
    SFI_RESHAPE,
    SFI_MULTIPLY,
    SFI_LOOKUP,
    SFI_LAYER_NORM,
    SFI_SOFTMAX,
    SFI_MATMUL,
    SFI_GRU,
    SFI_LSTM,
    SFI_RNN,
    SFI_KINDS /* one more than the last */
};

#define SFI_LOOKUP_ENTRIES 256 /* of a table: one for each s8 */

extern const sfi_operator sfi_conv, sfi_depthwise, sfi_fully_connected, sfi_add, sfi_rescale, sfi_max_pool,
    sfi_average_pool, sfi_pad, sfi_concat, sfi_transpose, sfi_reshape, sfi_multiply, sfi_lookup, sfi_layer_norm,
    sfi_softmax, sfi_matmul, sfi_gru, sfi_lstm, sfi_rnn;

/* The operator of a kind, or NULL if this core was linked without it. A firmware may link a shorter table
 * (firmware/README.md). */
const sfi_operator* sfi_operator_of(int32_t kind);

#endif
