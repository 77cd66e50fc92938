/* The operators by kind. */
#include "operators/operator.h"
#include "stepforward.h"

static const sf_operator* const table[] = {
    [SF_CONV] = &sf_conv,
    [SF_DEPTHWISE] = &sf_depthwise,
    [SF_FULLY_CONNECTED] = &sf_fully_connected,
    [SF_ADD] = &sf_add,
    [SF_RESCALE] = &sf_rescale,
    [SF_MAX_POOL] = &sf_max_pool,
    [SF_AVERAGE_POOL] = &sf_average_pool,
    [SF_PAD] = &sf_pad,
    [SF_CONCAT] = &sf_concat,
    [SF_TRANSPOSE] = &sf_transpose,
    [SF_RESHAPE] = &sf_reshape,
};

const sf_operator* sf_operator_of(int32_t kind)
{
    return kind >= SF_CONV && kind <= SF_RESHAPE ? table[kind] : NULL;
}
