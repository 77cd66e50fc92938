/* Opening a .sfp file in place (docs/file-formats.md, section 1). Everything a kernel relies on is checked here, once,
 * so that a hostile file cannot make one leave its buffers. */
#include "base/machine.h"
#include "base/rounding.h"
#include "base/tensors.h"
#include "operators/check.h"
#include "operators/operator.h"
#include "stepforward.h"

#define HEADER_BYTES 128u
#define RESERVED 96u        /* of the header: zeros from here on */
#define INTEGER_ROUNDING 1u /* features: roundings of other runtimes, tensors of five and six dimensions, */
#define FLOAT_ROUNDING 2u
#define RANK_5_6 4u
#define WIDE_INPUTS 8u /* sums and products that read s16, products of two tensors, softmax and layer norm, tables */
#define PRODUCTS 16u
#define ROWS 32u
#define TABLES 64u
#define RECURRENT 128u
#define FEATURES (INTEGER_ROUNDING | FLOAT_ROUNDING | RANK_5_6 | WIDE_INPUTS | PRODUCTS | ROWS | TABLES | RECURRENT)
#define MAX_TENSORS 16384u
#define MAX_OPS 4096u
#define LAST_DTYPE 5                    /* 4, 5: unsigned bytes and s64, which nothing reads yet */
#define KNOWN_FLAGS 7                   /* 1, 2: views and state, likewise */
#define OP_FLAGS 0x3ff                  /* rounding, pre-shift, transposition and packing of an operand, likewise */
#define MAX_ELEMENTS ((int64_t)1 << 28) /* of one tensor: indices stay far inside int32 */

static int64_t bits_of(int32_t dtype) { return dtype == SF_S8 ? 8 : dtype == SF_S16 ? 16 : dtype == SF_S4 ? 4 : 32; }

static int section(uint64_t offset, uint64_t bytes, uint64_t* end)
{
    if (offset % 4 != 0 || offset < *end)
        return 0;
    *end = offset + bytes;
    return 1;
}

/* The program's inputs and outputs, one of each: ranges of the constants. */
static sf_status read_ends(sf_program* p, const uint8_t* file)
{
    const uint32_t first[2] = {sfi_word(file + 68), sfi_word(file + 76)},
                   count[2] = {sfi_word(file + 72), sfi_word(file + 80)};
    for (int i = 0; i < 2; i++) {
        if (count[i] == 0 || count[i] > p->constant_count || first[i] > p->constant_count - count[i])
            return SF_BAD_HEADER;
        if (count[i] > 1)
            return SF_UNSUPPORTED;
    }
    p->input = (uint32_t)p->constants[first[0]];
    p->output = (uint32_t)p->constants[first[1]];
    return SF_OK;
}

static sf_status read_header(sf_program* p, const uint8_t* file, size_t bytes)
{
    if (bytes < 4 || file[0] != 'S' || file[1] != 'F' || file[2] != 'P' || file[3] < '1' || file[3] > '9')
        return SF_BAD_MAGIC;
    if (file[3] != '2')
        return SF_BAD_VERSION;
    if (bytes < HEADER_BYTES)
        return SF_TRUNCATED;
    if (sfi_word(file + 4) != 2)
        return SF_BAD_VERSION;
    p->file = file;
    p->file_bytes = sfi_word(file + 8);
    if (p->file_bytes < HEADER_BYTES)
        return SF_BAD_HEADER;
    if (p->file_bytes > bytes)
        return SF_TRUNCATED;

    const uint32_t tensors = sfi_word(file + 28), ops = sfi_word(file + 36), constants = sfi_word(file + 44),
                   constant_bytes = sfi_word(file + 48);
    uint64_t end = HEADER_BYTES;
    p->tensor_count = sfi_word(file + 32);
    p->op_count = sfi_word(file + 40);
    p->weights_offset = sfi_word(file + 52);
    p->weights_bytes = sfi_word(file + 56);
    p->metadata_offset = sfi_word(file + 60);
    p->metadata_bytes = sfi_word(file + 64);
    if (p->tensor_count > MAX_TENSORS || p->op_count > MAX_OPS)
        return SF_TOO_LARGE;
    if (!section(tensors, (uint64_t)p->tensor_count * sizeof(sf_tensor), &end) ||
        !section(ops, (uint64_t)p->op_count * sizeof(sf_op), &end) || !section(constants, constant_bytes, &end) ||
        !section(p->weights_offset, p->weights_bytes, &end) || !section(p->metadata_offset, p->metadata_bytes, &end) ||
        end > p->file_bytes || constant_bytes % 4 != 0)
        return SF_BAD_HEADER;
    if (sf_crc32(0, file + 16, p->weights_offset - 16) != sfi_word(file + 12) ||
        sf_crc32(0, file + p->weights_offset, p->weights_bytes) != sfi_word(file + 16) ||
        sf_crc32(0, file + p->metadata_offset, p->metadata_bytes) != sfi_word(file + 20))
        return SF_BAD_CHECKSUM;

    const uint32_t unknown = sfi_word(file + 24) & ~FEATURES;
    p->unknown = unknown & (~unknown + 1); /* the lowest bit */
    if (unknown != 0)
        return SF_UNKNOWN;
    for (uint32_t at = RESERVED; at < HEADER_BYTES; at += 4)
        if (sfi_word(file + at) != 0)
            return SF_BAD_HEADER;

    p->tensors = (const sf_tensor*)(const void*)(file + tensors);
    p->ops = (const sf_op*)(const void*)(file + ops);
    p->constants = (const int32_t*)(const void*)(file + constants);
    p->constant_count = constant_bytes / 4;
    p->parameter_count = sfi_word(file + 84);
    p->arena_bytes = sfi_word(file + 88);
    p->cut = sfi_word(file + 92);
    const sf_status status = read_ends(p, file);
    if (status != SF_OK)
        return status;
    if (p->parameter_count >= p->tensor_count || p->input < p->parameter_count || p->input >= p->tensor_count ||
        p->output < p->parameter_count || p->output >= p->tensor_count || p->input == p->output ||
        p->cut > p->op_count || p->op_count == 0)
        return SF_BAD_HEADER;
    return p->arena_bytes > (uint32_t)INT32_MAX ? SF_TOO_LARGE : SF_OK;
}

static sf_status check_tensor(const sf_program* p, uint32_t index)
{
    const sf_tensor* t = p->tensors + index;
    const int parameter = index < p->parameter_count;
    int64_t elements = 1;
    if (!sfi_within(t->dtype, SF_S8, LAST_DTYPE) || !sfi_within(t->rank, 1, SF_MAX_RANK) ||
        (t->rank > 4 && (sfi_word(p->file + 24) & RANK_5_6) == 0) || (t->flags & ~KNOWN_FLAGS) != 0 || t->base != -1)
        return SF_BAD_TENSOR;
    if (t->dtype > SF_S32 || (t->flags & ~SF_FROZEN) != 0)
        return SF_UNSUPPORTED;
    for (int d = 0; d < SF_MAX_RANK; d++) {
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
    if ((t->dtype != SF_S8 && t->dtype != SF_S16) || t->flags != 0)
        return SF_BAD_TENSOR;
    if (!sfi_fits_type(t, t->zero_point))
        return SF_BAD_TENSOR;
    if (index == p->input)
        return t->offset != -1 ? SF_BAD_TENSOR : t->dtype == SF_S16 && t->zero_point != 0 ? SF_UNSUPPORTED : SF_OK;
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
        if (sfi_output_index(p, p->ops + i) == tensor)
            return 1;
    return 0;
}

/* An operator writes nothing that it reads: kernels copy and widen without looking for an overlap. */
static int inputs_stay(const sf_program* p, const sf_op* op, const sf_tensor* out)
{
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* in = sfi_input(p, op, i);
        if ((uint32_t)sfi_input_index(p, op, i) != p->input && (int64_t)in->offset + in->bytes > out->offset &&
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
    const sf_tensor* out = sfi_output(p, op);
    if (!sfi_within(op->work, (int64_t)out->offset + out->bytes, p->arena_bytes) || op->work % 8 != 0)
        return 0;
    for (int32_t i = 0; i < op->input_count; i++) {
        const sf_tensor* in = sfi_input(p, op, i);
        if ((uint32_t)sfi_input_index(p, op, i) != p->input && (int64_t)in->offset + in->bytes > op->work)
            return 0;
    }
    return 1;
}

/* Whether the ranges of all operators lie in the constants, and are no more than these in all. */
static int ranges_fit(const sf_program* p)
{
    int64_t total = 2; /* the program's input and output */
    for (uint32_t i = 0; i < p->op_count; i++) {
        const sf_op* op = p->ops + i;
        const int64_t ranges[4][2] = {{op->inputs_first, op->input_count},
                                      {op->outputs_first, op->output_count},
                                      {op->attributes_first, op->attribute_count},
                                      {op->rescale_first, 2 * (int64_t)op->rescale_count}};
        for (int r = 0; r < 4; r++) {
            if (ranges[r][0] < 0 || ranges[r][1] < 0 || ranges[r][0] + ranges[r][1] > (int64_t)p->constant_count)
                return 0;
            total += ranges[r][1];
        }
        if (op->input_count < 1 || op->output_count < 1)
            return 0;
    }
    return total <= (int64_t)p->constant_count;
}

/* Whether the table that the operator's kind has lies in the constants; several operators may read one. */
static int table_fits(const sf_program* p, const sf_op* op)
{
    const int64_t words =
        op->kind == SFI_LOOKUP ? SFI_LOOKUP_ENTRIES * (int64_t)sfi_element_bytes(sfi_output(p, op)) / 4 : 0;
    if (words == 0)
        return op->tables == -1;
    return (sfi_word(p->file + 24) & TABLES) != 0 && sfi_within(op->tables, 0, (int64_t)p->constant_count - words);
}

/* Whether the header says that the program needs such a rounding. */
static int announced(const sf_program* p, int32_t rounding)
{
    const uint32_t features = sfi_word(p->file + 24);
    return rounding == SFI_CONTRACT || (features & (rounding >= SFI_FLOAT ? FLOAT_ROUNDING : INTEGER_ROUNDING)) != 0;
}

/* Whether the header says that the program needs such an operator, and reads s16 where most do not. */
static int kind_announced(const sf_program* p, const sf_op* op)
{
    uint32_t needs = op->kind == SFI_MATMUL                                  ? PRODUCTS
                     : op->kind == SFI_SOFTMAX || op->kind == SFI_LAYER_NORM ? ROWS
                     : op->kind >= SFI_GRU && op->kind <= SFI_RNN            ? RECURRENT
                                                                             : 0;
    if ((op->kind == SFI_ADD || op->kind == SFI_MATMUL) && !sfi_reads_bytes(p, op))
        needs |= WIDE_INPUTS;
    return (needs & ~sfi_word(p->file + 24)) == 0;
}

/* What holds for every kind; the operator's own check has the rest. */
static sf_status check_op(const sf_program* p, uint32_t position)
{
    const sf_op* op = p->ops + position;
    const int64_t first = p->parameter_count, last = (int64_t)p->tensor_count - 1;
    const int32_t output = sfi_output_index(p, op), rounding = sfi_rounding(op);
    if (!sfi_within(op->kind, 1, SFI_KINDS - 1) || !sfi_within(output, first, last) || (uint32_t)output == p->input ||
        (op->flags & ~OP_FLAGS) != 0 || !table_fits(p, op))
        return SF_BAD_OPERATOR;
    if ((op->flags & ~SFI_ROUNDING) != 0 || rounding > SFI_INSIDE_BYTES || op->input_count > SF_MAX_INPUTS ||
        op->output_count > 1)
        return SF_UNSUPPORTED;
    for (int32_t i = 0; i < op->input_count; i++) {
        const int32_t input = sfi_input_index(p, op, i);
        if (!sfi_within(input, 0, last) || (input >= first && !written(p, position, input)))
            return SF_BAD_OPERATOR;
        if (input < first)
            return SF_UNSUPPORTED;
    }
    if (!sfi_within(op->weight, -1, first - 1) || !sfi_within(op->bias, -1, first - 1))
        return SF_BAD_OPERATOR;

    const sf_tensor* out = sfi_output(p, op);
    if (op->lo > op->hi || !sfi_fits_type(out, op->lo) || !sfi_fits_type(out, op->hi))
        return SF_BAD_OPERATOR;
    for (int32_t i = 0; i < op->rescale_count; i++) {
        if (!sfi_pair_fits(sfi_rescale_pair(p, op, (uint32_t)i), rounding))
            return SF_BAD_OPERATOR;
    }
    if (!inputs_stay(p, op, out) || !work_fits(p, op))
        return SF_BAD_OPERATOR;
    const sfi_operator* known = sfi_operator_of(op->kind);
    if (known == NULL || (rounding != SFI_CONTRACT && !known->rounds))
        return SF_UNSUPPORTED;
    if (sfi_is_inside(rounding) && op->kind != SFI_ADD && op->kind != SFI_MULTIPLY && op->kind != SFI_AVERAGE_POOL)
        return SF_UNSUPPORTED;
    return announced(p, rounding) && kind_announced(p, op) ? known->check(p, op) : SF_BAD_OPERATOR;
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
    if (status == SF_OK && !ranges_fit(program))
        status = SF_BAD_OPERATOR;
    for (uint32_t i = 0; status == SF_OK && i < program->op_count; i++)
        status = check_op(program, i);
    if (status == SF_OK && !written(program, program->op_count, (int32_t)program->output))
        status = SF_BAD_HEADER;
    if (status != SF_OK) {
        const uint32_t unknown = program->unknown;
        sfi_fill(program, 0, sizeof *program);
        program->unknown = unknown;
        return status;
    }
    program->classes = (uint32_t)program->tensors[program->output].elements;
    program->input_bytes = (uint32_t)program->tensors[program->input].bytes;
    return SF_OK;
}
