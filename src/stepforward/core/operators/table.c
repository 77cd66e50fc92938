/* The operators by kind. */
#include "operators/operator.h"
#include "stepforward.h"

static const sfi_operator* const table[] = {
    [SFI_CONV] = &sfi_conv,
    [SFI_DEPTHWISE] = &sfi_depthwise,
    [SFI_FULLY_CONNECTED] = &sfi_fully_connected,
    [SFI_ADD] = &sfi_add,
    [SFI_RESCALE] = &sfi_rescale,
    [SFI_MAX_POOL] = &sfi_max_pool,
    [SFI_AVERAGE_POOL] = &sfi_average_pool,
    [SFI_PAD] = &sfi_pad,
    [SFI_CONCAT] = &sfi_concat,
    [SFI_TRANSPOSE] = &sfi_transpose,
    [SFI_RESHAPE] = &sfi_reshape,
    [SFI_MULTIPLY] = &sfi_multiply,
    [SFI_LOOKUP] = &sfi_lookup,
    [SFI_LAYER_NORM] = &sfi_layer_norm,
    [SFI_SOFTMAX] = &sfi_softmax,
    [SFI_MATMUL] = &sfi_matmul,
    [SFI_GRU] = &sfi_gru,
    [SFI_LSTM] = &sfi_lstm,
    [SFI_RNN] = &sfi_rnn,
};

const sfi_operator* sfi_operator_of(int32_t kind) { return kind > 0 && kind < SFI_KINDS ? table[kind] : NULL; }
