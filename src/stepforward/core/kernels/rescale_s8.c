/* Change of format, stand-alone ReLU, ReLU6 or clip; and concat, which rescales each of its inputs. */
#include "../internal.h"

/* |X*mult| <= 255 * 65535 < 2^24: from shift 25 up the rounded result is 0, as it is with 25. */
SF_CLONES
static void rescale(const int8_t* x, size_t count, int32_t zero_x, const int32_t* pair, const sf_call* call, size_t at)
{
    const int32_t mult = pair[0], shift = pair[1] > 25 ? 25 : pair[1], half = shift > 0 ? 1 << (shift - 1) : 0;
    const int32_t rest = half - zero_x * mult;
    const int32_t zero = call->out->zero_point, lo = call->op->lo, hi = call->op->hi;
#define SF_VALUE(i) sf_clamp(((x[i] * mult + rest) >> shift) + zero, lo, hi)
    if (call->out->dtype == SF_S16) {
        int16_t* y = (int16_t*)call->y + at;
        for (size_t i = 0; i < count; i++)
            y[i] = (int16_t)SF_VALUE(i);
    } else {
        int8_t* y = (int8_t*)call->y + at;
        for (size_t i = 0; i < count; i++)
            y[i] = (int8_t)SF_VALUE(i);
    }
#undef SF_VALUE
}

void sf_rescale_s8(const sf_call* call)
{
    rescale((const int8_t*)call->x, (size_t)call->n * (size_t)call->in->elements, call->in->zero_point,
            sf_rescale_pair(call->pass->program, call->op, 0), call, 0);
}

void sf_concat_s8(const sf_call* call)
{
    const sf_op* op = call->op;
    const sf_tensor* out = call->out;
    size_t inner = 1, outer = call->n, before = 0;
    for (int32_t d = 0; d < out->rank; d++) {
        if (d < op->axis)
            outer *= (size_t)out->dims[d];
        else if (d > op->axis)
            inner *= (size_t)out->dims[d];
    }
    const size_t out_run = (size_t)out->dims[op->axis] * inner;
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* in = call->pass->program->tensors + op->inputs[i];
        const int8_t* x = (const int8_t*)call->inputs[i];
        const size_t run = (size_t)in->dims[op->axis] * inner;
        for (size_t o = 0; o < outer; o++)
            rescale(x + o * run, run, in->zero_point, sf_rescale_pair(call->pass->program, op, (uint32_t)i), call,
                    o * out_run + before);
        before += run;
    }
}
