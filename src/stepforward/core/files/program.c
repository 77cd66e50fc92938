/* Opening a .sfp file in place (docs/file-formats.md, section 1). Everything a kernel relies on is checked here, once,
 * so that a hostile file cannot make one leave its buffers. */
#include "base/machine.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

#define HEADER_BYTES 96u
#define MAX_TENSORS 16384u
#define MAX_OPS 4096u
#define MAX_ELEMENTS ((int64_t)1 << 28) /* of one tensor: indices stay far inside int32 */

static uint32_t word(const uint8_t* at)
{
    uint32_t v;
    sfi_copy(&v, at, sizeof v);
    return v;
}

static int64_t bits_of(int32_t dtype) { return dtype == SF_S8 ? 8 : dtype == SF_S16 ? 16 : dtype == SF_S4 ? 4 : 32; }

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

    const uint32_t tensors = word(file + 24), ops = word(file + 32), constants = word(file + 40),
                   constant_bytes = word(file + 44);
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
        p->output < p->parameter_count || p->output >= p->tensor_count || p->input == p->output ||
        p->cut > p->op_count || p->op_count == 0 || p->loss_mult > 65535 || p->loss_shift > 47)
        return SF_BAD_HEADER;
    return p->arena_bytes > (uint32_t)INT32_MAX ? SF_TOO_LARGE : SF_OK;
}

static sf_status check_tensor(const sf_program* p, uint32_t index)
{
    const sf_tensor* t = p->tensors + index;
    const int parameter = index < p->parameter_count;
    int64_t elements = 1;
    if (!sfi_within(t->dtype, SF_S8, SF_S32) || !sfi_within(t->rank, 1, 4))
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
        const int placed =
            t->offset >= 0 && t->offset % 4 == 0 && (int64_t)t->offset + t->bytes <= (int64_t)p->weights_bytes;
        return placed && t->zero_point == 0 && sfi_within(t->channel_rule, 0, 2) && t->channel_divisor >= 1
                   ? SF_OK
                   : SF_BAD_TENSOR;
    }
    if (t->dtype != SF_S8 && t->dtype != SF_S16)
        return SF_BAD_TENSOR;
    if (!sfi_fits_type(t, t->zero_point))
        return SF_BAD_TENSOR;
    if (index == p->input)
        return t->offset != -1 ? SF_BAD_TENSOR : t->dtype != SF_S8 ? SF_UNSUPPORTED : SF_OK;
    return t->offset >= 0 && t->offset % 8 == 0 && (int64_t)t->offset + t->bytes <= (int64_t)p->arena_bytes
               ? SF_OK
               : SF_BAD_TENSOR;
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

/* An operator writes nothing that it reads: kernels copy and widen without looking for an overlap. */
static int inputs_stay(const sf_program* p, const sf_op* op, const sf_tensor* out)
{
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* in = p->tensors + op->inputs[i];
        if ((uint32_t)op->inputs[i] != p->input && (int64_t)in->offset + in->bytes > out->offset &&
            (int64_t)out->offset + out->bytes > in->offset)
            return 0;
    }
    return 1;
}

/* Working memory is in the arena, and touches neither what the operator reads nor what it writes: the kernels rely on
 * what lies there. */
static int work_fits(const sf_program* p, const sf_op* op)
{
    if (op->work == 0)
        return 1;
    const sf_tensor* out = p->tensors + op->output;
    if (!sfi_within(op->work, (int64_t)out->offset + out->bytes, p->arena_bytes) || op->work % 8 != 0)
        return 0;
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* in = p->tensors + op->inputs[i];
        if ((uint32_t)op->inputs[i] != p->input && (int64_t)in->offset + in->bytes > op->work)
            return 0;
    }
    return 1;
}

/* What holds for every kind; the operator's own check has the rest. */
static sf_status check_op(const sf_program* p, uint32_t position)
{
    const sf_op* op = p->ops + position;
    const int64_t first = p->parameter_count, last = (int64_t)p->tensor_count - 1;
    if (!sfi_within(op->kind, SF_CONV, SF_RESHAPE) || !sfi_within(op->input_count, 1, SF_MAX_INPUTS) ||
        !sfi_within(op->output, first, last) || (uint32_t)op->output == p->input)
        return SF_BAD_OPERATOR;
    for (int32_t i = 0; i < op->input_count; i++)
        if (!sfi_within(op->inputs[i], first, last) || !written(p, position, op->inputs[i]))
            return SF_BAD_OPERATOR;
    if (!sfi_within(op->weight, -1, first - 1) || !sfi_within(op->bias, -1, first - 1))
        return SF_BAD_OPERATOR;

    const sf_tensor* out = p->tensors + op->output;
    if (op->rescale_first < 0 || op->rescale_count < 0 ||
        (int64_t)op->rescale_first + 2 * (int64_t)op->rescale_count > (int64_t)p->constant_count || op->lo > op->hi ||
        !sfi_fits_type(out, op->lo) || !sfi_fits_type(out, op->hi))
        return SF_BAD_OPERATOR;
    for (int32_t i = 0; i < op->rescale_count; i++) {
        const int32_t* pair = sfi_rescale_pair(p, op, (uint32_t)i);
        if (!sfi_within(pair[0], 0, 65535) || !sfi_within(pair[1], 0, 47))
            return SF_BAD_OPERATOR;
    }
    if (!inputs_stay(p, op, out) || !work_fits(p, op))
        return SF_BAD_OPERATOR;
    const sfi_operator* known = sfi_operator_of(op->kind);
    return known == NULL ? SF_UNSUPPORTED : known->check(p, op);
}

sf_status sf_program_open(sf_program* program, const void* file, size_t bytes)
{
    if (program == NULL || file == NULL)
        return SF_BAD_ARGUMENT;
    if (((uintptr_t)file & 3u) != 0)
        return SF_MISALIGNED;
    sfi_fill(program, 0, sizeof *program);
    sf_status status = read_header(program, (const uint8_t*)file, bytes);
    for (uint32_t i = 0; status == SF_OK && i < program->tensor_count; i++)
        status = check_tensor(program, i);
    for (uint32_t i = 0; status == SF_OK && i < program->op_count; i++)
        status = check_op(program, i);
    if (status == SF_OK && !written(program, program->op_count, (int32_t)program->output))
        status = SF_BAD_HEADER;
    if (status != SF_OK) {
        sfi_fill(program, 0, sizeof *program);
        return status;
    }
    program->classes = (uint32_t)program->tensors[program->output].elements;
    program->input_bytes = (uint32_t)program->tensors[program->input].bytes;
    return SF_OK;
}
