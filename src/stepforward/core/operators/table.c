/* The operators by kind. */
#include "operators/operator.h"
#include "stepforward.h"

static const sfi_operator* const table[] = {
    [SF_CONV] = &sfi_conv,
    [SF_DEPTHWISE] = &sfi_depthwise,
    [SF_FULLY_CONNECTED] = &sfi_fully_connected,
    [SF_ADD] = &sfi_add,
    [SF_RESCALE] = &sfi_rescale,
    [SF_MAX_POOL] = &sfi_max_pool,
    [SF_AVERAGE_POOL] = &sfi_average_pool,
    [SF_PAD] = &sfi_pad,
    [SF_CONCAT] = &sfi_concat,
    [SF_TRANSPOSE] = &sfi_transpose,
    [SF_RESHAPE] = &sfi_reshape,
};

const sfi_operator* sfi_operator_of(int32_t kind) { return kind >= SF_CONV && kind <= SF_RESHAPE ? table[kind] : NULL; }
