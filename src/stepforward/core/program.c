/* Opening a .sfp file in place (docs/file-formats.md, section 1). Everything a kernel relies on is checked here, once, so
 * that a hostile file cannot make one leave its buffers. */
#include "internal.h"

#define HEADER_BYTES 96u
#define MAX_TENSORS 16384u
#define MAX_OPS 4096u
#define MAX_ELEMENTS ((int64_t)1 << 28) /* of one tensor: indices stay far inside int32 */
#define MAX_LENGTH ((int64_t)1 << 22)   /* products of one sum: |acc| < 2^22 * 2^15 * 2^8 + 2^31 < 2^46 */

static uint32_t word(const uint8_t* at)
{
    uint32_t v;
    sf_copy(&v, at, sizeof v);
    return v;
}

static int within(int64_t v, int64_t lo, int64_t hi) { return v >= lo && v <= hi; }

static int64_t bits_of(int32_t dtype) { return dtype == SF_S8 ? 8 : dtype == SF_S16 ? 16 : dtype == SF_S4 ? 4 : 32; }

static int fits_type(const sf_tensor* t, int64_t v)
{
    return t->dtype == SF_S16 ? within(v, -32768, 32767) : within(v, -128, 127);
}

static int section(uint64_t offset, uint64_t bytes, uint64_t* end)
{
    if (offset % 4 != 0 || offset < *end)
        return 0;
    *end = offset + bytes;
    return 1;
}

static sf_status read_header(sf_program* p, const uint8_t* file, size_t bytes)
{
    if (bytes < 4 || file[0] != 'S' || file[1] != 'F' || file[2] != 'P' || file[3] != '1')
        return SF_BAD_MAGIC;
    if (bytes < HEADER_BYTES)
        return SF_TRUNCATED;
    if (word(file + 4) != 1)
        return SF_BAD_VERSION;
    p->file = file;
    p->file_bytes = word(file + 8);
    if (p->file_bytes < HEADER_BYTES)
        return SF_BAD_HEADER;
    if (p->file_bytes > bytes)
        return SF_TRUNCATED;

    const uint32_t tensors = word(file + 24), ops = word(file + 32), constants = word(file + 40), constant_bytes = word(file + 44);
    uint64_t end = HEADER_BYTES;
    p->tensor_count = word(file + 28);
    p->op_count = word(file + 36);
    p->weights_offset = word(file + 48);
    p->weights_bytes = word(file + 52);
    p->metadata_offset = word(file + 56);
    p->metadata_bytes = word(file + 60);
    if (p->tensor_count > MAX_TENSORS || p->op_count > MAX_OPS)
        return SF_TOO_LARGE;
    if (!section(tensors, (uint64_t)p->tensor_count * sizeof(sf_tensor), &end) ||
        !section(ops, (uint64_t)p->op_count * sizeof(sf_op), &end) || !section(constants, constant_bytes, &end) ||
        !section(p->weights_offset, p->weights_bytes, &end) || !section(p->metadata_offset, p->metadata_bytes, &end) ||
        end > p->file_bytes || constant_bytes % 4 != 0)
        return SF_BAD_HEADER;
    if (sf_crc32(0, file + 16, p->weights_offset - 16) != word(file + 12) ||
        sf_crc32(0, file + p->weights_offset, p->weights_bytes) != word(file + 16) ||
        sf_crc32(0, file + p->metadata_offset, p->metadata_bytes) != word(file + 20))
        return SF_BAD_CHECKSUM;

    p->tensors = (const sf_tensor*)(const void*)(file + tensors);
    p->ops = (const sf_op*)(const void*)(file + ops);
    p->constants = (const int32_t*)(const void*)(file + constants);
    p->constant_count = constant_bytes / 4;
    p->input = word(file + 64);
    p->output = word(file + 68);
    p->arena_bytes = word(file + 72);
    p->cut = word(file + 76);
    p->loss_mult = word(file + 80);
    p->loss_shift = word(file + 84);
    p->parameter_count = word(file + 88);
    if (p->parameter_count >= p->tensor_count || p->input < p->parameter_count || p->input >= p->tensor_count ||
        p->output < p->parameter_count || p->output >= p->tensor_count || p->input == p->output || p->cut > p->op_count ||
        p->op_count == 0 || p->loss_mult > 65535 || p->loss_shift > 47)
        return SF_BAD_HEADER;
    return p->arena_bytes > (uint32_t)INT32_MAX ? SF_TOO_LARGE : SF_OK;
}

static sf_status check_tensor(const sf_program* p, uint32_t index)
{
    const sf_tensor* t = p->tensors + index;
    const int parameter = index < p->parameter_count;
    int64_t elements = 1;
    if (!within(t->dtype, SF_S8, SF_S32) || !within(t->rank, 1, 4))
        return SF_BAD_TENSOR;
    for (int d = 0; d < 4; d++) {
        if (t->dims[d] < 1 || (d >= t->rank && t->dims[d] != 1))
            return SF_BAD_TENSOR;
        elements *= t->dims[d];
        if (elements > MAX_ELEMENTS)
            return SF_TOO_LARGE;
    }
    if (t->elements != elements || t->bytes != (elements * bits_of(t->dtype) + 7) / 8)
        return SF_BAD_TENSOR;
    if (parameter) {
        const int placed = t->offset >= 0 && t->offset % 4 == 0 && (int64_t)t->offset + t->bytes <= (int64_t)p->weights_bytes;
        return placed && t->zero_point == 0 && within(t->channel_rule, 0, 2) && t->channel_divisor >= 1 ? SF_OK : SF_BAD_TENSOR;
    }
    if (t->dtype != SF_S8 && t->dtype != SF_S16)
        return SF_BAD_TENSOR;
    if (!fits_type(t, t->zero_point))
        return SF_BAD_TENSOR;
    if (index == p->input)
        return t->offset != -1 ? SF_BAD_TENSOR : t->dtype != SF_S8 ? SF_UNSUPPORTED : SF_OK;
    return t->offset >= 0 && t->offset % 8 == 0 && (int64_t)t->offset + t->bytes <= (int64_t)p->arena_bytes ? SF_OK : SF_BAD_TENSOR;
}

static int same_shape(const sf_tensor* a, const sf_tensor* b)
{
    for (int d = 0; d < 4; d++)
        if (a->dims[d] != b->dims[d])
            return 0;
    return a->rank == b->rank;
}

static int has_dims(const sf_tensor* t, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    return t->rank == rank && t->dims[0] == a && t->dims[1] == b && t->dims[2] == c && t->dims[3] == d;
}

static int window_axis(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after)
{
    if (!within(kernel, 1, 65536) || !within(stride, 1, 65536) || !within(dilation, 1, 65536) ||
        !within(before, 0, 65536) || !within(after, 0, 65536))
        return 0;
    const int64_t room = in + before + after - (dilation * (kernel - 1) + 1);
    return room >= 0 && out == room / stride + 1;
}

/* Kernel, stride, padding and dilation against the two images. */
static int window_fits(const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    return in->rank == 3 && out->rank == 3 &&
           window_axis(in->dims[0], out->dims[0], op->kernel_h, op->stride_h, op->dilation_h, op->pad_top, op->pad_bottom) &&
           window_axis(in->dims[1], out->dims[1], op->kernel_w, op->stride_w, op->dilation_w, op->pad_left, op->pad_right) &&
           (int64_t)op->kernel_h * op->kernel_w <= MAX_LENGTH;
}

static int parameters_fit(const sf_program* p, const sf_op* op, int64_t rows, int64_t length)
{
    return p->tensors[op->weight].dtype != SF_S32 && has_dims(p->tensors + op->bias, 1, rows, 1, 1, 1) &&
           p->tensors[op->bias].dtype == SF_S32 && length <= MAX_LENGTH &&
           (op->rescale_count == 1 || op->rescale_count == rows);
}

static int conv_fits(const sf_program* p, const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    if (!window_fits(op, in, out) || op->groups < 1 || in->dims[2] % op->groups != 0 || out->dims[2] % op->groups != 0)
        return 0;
    const int64_t channels = in->dims[2] / op->groups;
    return has_dims(p->tensors + op->weight, 4, out->dims[2], op->kernel_h, op->kernel_w, channels) &&
           parameters_fit(p, op, out->dims[2], (int64_t)op->kernel_h * op->kernel_w * channels);
}

static int depthwise_fits(const sf_program* p, const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    return window_fits(op, in, out) && in->dims[2] == out->dims[2] &&
           has_dims(p->tensors + op->weight, 3, op->kernel_h, op->kernel_w, in->dims[2], 1) &&
           parameters_fit(p, op, in->dims[2], (int64_t)op->kernel_h * op->kernel_w);
}

static int fully_connected_fits(const sf_program* p, const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    return has_dims(p->tensors + op->weight, 2, out->elements, in->elements, 1, 1) &&
           parameters_fit(p, op, out->elements, in->elements);
}

static int add_fits(const sf_program* p, const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    return same_shape(in, out) && same_shape(p->tensors + op->inputs[1], out) && op->rescale_count == 2 &&
           sf_rescale_pair(p, op, 0)[1] == sf_rescale_pair(p, op, 1)[1];
}

/* Each count has its own pair: then every window must see at least one sample. */
static int average_pool_fits(const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    if (!window_fits(op, in, out) || in->dims[2] != out->dims[2])
        return 0;
    if (op->rescale_count == 1)
        return 1;
    return op->rescale_count == op->kernel_h * op->kernel_w && op->dilation_h == 1 && op->dilation_w == 1 &&
           op->pad_top < op->kernel_h && op->pad_bottom < op->kernel_h && op->pad_left < op->kernel_w && op->pad_right < op->kernel_w;
}

static int pad_fits(const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    const int32_t counts[6] = {op->pad_top, op->pad_left, op->pad_bottom, op->pad_right, op->kernel_h, op->kernel_w};
    for (int i = 0; i < 6; i++)
        if (counts[i] < 0)
            return 0;
    return in->rank == 3 && in->dtype == out->dtype && fits_type(out, op->value) &&
           has_dims(out, 3, (int64_t)in->dims[0] + op->pad_top + op->pad_bottom,
                    (int64_t)in->dims[1] + op->pad_left + op->pad_right,
                    (int64_t)in->dims[2] + op->kernel_h + op->kernel_w, 1);
}

static int concat_fits(const sf_program* p, const sf_op* op, const sf_tensor* out)
{
    if (op->rescale_count != op->input_count || !within(op->axis, 0, out->rank - 1))
        return 0;
    int64_t joined = 0;
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* t = p->tensors + op->inputs[i];
        if (t->rank != out->rank)
            return 0;
        for (int32_t d = 0; d < out->rank; d++)
            if (d != op->axis && t->dims[d] != out->dims[d])
                return 0;
        joined += t->dims[op->axis];
    }
    return joined == out->dims[op->axis];
}

static int transpose_fits(const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    uint32_t seen = 0;
    if (in->rank != out->rank || in->dtype != out->dtype)
        return 0;
    for (int32_t d = 0; d < out->rank; d++) {
        const int32_t from = (op->permutation >> (4 * d)) & 15;
        if (from >= in->rank || out->dims[d] != in->dims[from])
            return 0;
        seen |= 1u << from;
    }
    return seen == (1u << in->rank) - 1u;
}

static int fits(const sf_program* p, const sf_op* op, const sf_tensor* in, const sf_tensor* out)
{
    switch (op->kind) {
    case SF_CONV: return conv_fits(p, op, in, out);
    case SF_DEPTHWISE: return depthwise_fits(p, op, in, out);
    case SF_FULLY_CONNECTED: return fully_connected_fits(p, op, in, out);
    case SF_ADD: return add_fits(p, op, in, out);
    case SF_RESCALE: return same_shape(in, out) && op->rescale_count == 1;
    case SF_MAX_POOL: return window_fits(op, in, out) && in->dims[2] == out->dims[2];
    case SF_AVERAGE_POOL: return average_pool_fits(op, in, out);
    case SF_PAD: return pad_fits(op, in, out);
    case SF_CONCAT: return concat_fits(p, op, out);
    case SF_TRANSPOSE: return transpose_fits(op, in, out);
    case SF_RESHAPE: return in->elements == out->elements && in->dtype == out->dtype;
    default: return 0;
    }
}

/* Whether operators before `position` (or the caller) have written the tensor. */
static int written(const sf_program* p, uint32_t position, int32_t tensor)
{
    if ((uint32_t)tensor == p->input)
        return 1;
    for (uint32_t i = 0; i < position; i++)
        if (p->ops[i].output == tensor)
            return 1;
    return 0;
}

static int supported(const sf_program* p, const sf_op* op, const sf_tensor* out)
{
    if (op->kind == SF_PAD || op->kind == SF_TRANSPOSE || op->kind == SF_RESHAPE)
        return 1;
    for (int32_t i = 0; i < op->input_count; i++)
        if (p->tensors[op->inputs[i]].dtype != SF_S8)
            return 0;
    return op->kind != SF_MAX_POOL || out->dtype == SF_S8;
}

/* An operator writes nothing that it reads: kernels copy and widen without looking for an overlap. */
static int inputs_stay(const sf_program* p, const sf_op* op, const sf_tensor* out)
{
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* in = p->tensors + op->inputs[i];
        if ((uint32_t)op->inputs[i] != p->input && (int64_t)in->offset + in->bytes > out->offset && (int64_t)out->offset + out->bytes > in->offset)
            return 0;
    }
    return 1;
}

/* Working memory is in the arena, and touches neither what the operator reads nor what it writes: the kernels rely on what lies there. */
static int work_fits(const sf_program* p, const sf_op* op)
{
    if (op->work == 0)
        return 1;
    const sf_tensor* out = p->tensors + op->output;
    if (!within(op->work, (int64_t)out->offset + out->bytes, p->arena_bytes) || op->work % 8 != 0)
        return 0;
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* in = p->tensors + op->inputs[i];
        if ((uint32_t)op->inputs[i] != p->input && (int64_t)in->offset + in->bytes > op->work)
            return 0;
    }
    return 1;
}

static sf_status check_op(const sf_program* p, uint32_t position)
{
    const sf_op* op = p->ops + position;
    const int64_t first = p->parameter_count, last = (int64_t)p->tensor_count - 1;
    const int parametric = op->kind <= SF_FULLY_CONNECTED;
    const int32_t wanted = op->kind == SF_ADD ? 2 : op->kind == SF_CONCAT ? op->input_count : 1;
    if (!within(op->kind, SF_CONV, SF_RESHAPE) || !within(op->input_count, 1, SF_MAX_INPUTS) || op->input_count != wanted ||
        !within(op->output, first, last) || (uint32_t)op->output == p->input)
        return SF_BAD_OPERATOR;
    for (int32_t i = 0; i < op->input_count; i++)
        if (!within(op->inputs[i], first, last) || !written(p, position, op->inputs[i]))
            return SF_BAD_OPERATOR;
    if (parametric ? !within(op->weight, 0, first - 1) || !within(op->bias, 0, first - 1) : op->weight != -1 || op->bias != -1)
        return SF_BAD_OPERATOR;

    const sf_tensor* out = p->tensors + op->output;
    if (op->rescale_first < 0 || op->rescale_count < 0 ||
        (int64_t)op->rescale_first + 2 * (int64_t)op->rescale_count > (int64_t)p->constant_count || op->lo > op->hi ||
        !fits_type(out, op->lo) || !fits_type(out, op->hi))
        return SF_BAD_OPERATOR;
    for (int32_t i = 0; i < op->rescale_count; i++) {
        const int32_t* pair = sf_rescale_pair(p, op, (uint32_t)i);
        if (!within(pair[0], 0, 65535) || !within(pair[1], 0, 47))
            return SF_BAD_OPERATOR;
    }
    if (!fits(p, op, p->tensors + op->inputs[0], out) || !inputs_stay(p, op, out) || !work_fits(p, op))
        return SF_BAD_OPERATOR;
    return supported(p, op, out) ? SF_OK : SF_UNSUPPORTED;
}

sf_status sf_program_open(sf_program* program, const void* file, size_t bytes)
{
    if (program == NULL || file == NULL)
        return SF_BAD_ARGUMENT;
    if (((uintptr_t)file & 3u) != 0)
        return SF_MISALIGNED;
    sf_fill(program, 0, sizeof *program);
    sf_status status = read_header(program, (const uint8_t*)file, bytes);
    for (uint32_t i = 0; status == SF_OK && i < program->tensor_count; i++)
        status = check_tensor(program, i);
    for (uint32_t i = 0; status == SF_OK && i < program->op_count; i++)
        status = check_op(program, i);
    if (status == SF_OK && !written(program, program->op_count, (int32_t)program->output))
        status = SF_BAD_HEADER;
    if (status != SF_OK) {
        sf_fill(program, 0, sizeof *program);
        return status;
    }
    program->classes = (uint32_t)program->tensors[program->output].elements;
    program->input_bytes = (uint32_t)program->tensors[program->input].bytes;
    return SF_OK;
}

const void* sf_program_weights(const sf_program* program) { return program->file + program->weights_offset; }
