/* Whether a plan's exact tail is one that its program can have (contract, section 10). */
#include "files/tail_fits.h"
#include "base/tensors.h"
#include "operators/operator.h"
#include "train/penultimate.h"

#define MOST_TAIL_BITS 14u
#define MOST_SHIFT 30u

static int is_tensor_of(const sf_op* op, uint32_t tensor)
{
    return (int32_t)tensor == op->weight || (int32_t)tensor == op->bias;
}

/* Whether the tail is a linear layer at the end that shares its weights with none, its tensors are the plan's last, and
 * every step moves it. Its sums of 32 bits then fit (contract, section 10), and a row has at most 2^22 weights. */
static int last_fits(const sf_plan* plan, const sf_program* program)
{
    if (plan->voted_count == plan->trainable_count)
        return 1;
    if ((uint64_t)plan->tail_op + 1 != program->op_count || plan->tail_bits > MOST_TAIL_BITS || plan->accumulate > 1)
        return 0;
    const sf_op* op = program->ops + plan->tail_op;
    if (op->kind != SFI_FULLY_CONNECTED && op->kind != SFI_CONV)
        return 0;
    const sf_tensor *x = sfi_input(program, op, 0), *y = sfi_output(program, op);
    if (x->dtype != SF_S8 || (int64_t)x->elements * y->elements != program->tensors[op->weight].elements ||
        sfi_output_index(program, op) != (int32_t)program->output)
        return 0;
    if (op->kind == SFI_CONV) {
        const sfi_window* w = sfi_window_of(program, op);
        if ((w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) != 0)
            return 0;
    }
    for (uint32_t i = 0; i < plan->tail_op; i++)
        if (program->ops[i].weight == op->weight || program->ops[i].bias == op->bias)
            return 0;
    for (uint32_t i = 0; i < plan->trainable_count; i++)
        if ((i >= plan->voted_count + plan->before_count) != is_tensor_of(op, plan->trainables[i].tensor))
            return 0;
    int moves = 0;
    for (uint32_t i = plan->voted_count; i < plan->trainable_count; i++)
        moves |= (int32_t)plan->trainables[i].tensor == op->weight;
    return plan->tail_inputs == (moves ? (uint32_t)x->elements : 0);
}

/* Whether a window sees a whole image at once, each position once. */
static int covers(const sf_program* program, const sf_op* op)
{
    const sfi_window* w = sfi_window_of(program, op);
    const sf_tensor* x = sfi_input(program, op, 0);
    return w->kernel_h == x->dims[0] && w->kernel_w == x->dims[1] && w->dilation_h == 1 && w->dilation_w == 1 &&
           (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) == 0;
}

/* Whether the outputs of the layer before the tail are its inputs, at once or averaged over all positions, and nothing
 * else reads them. */
static int goes_through(const sf_plan* plan, const sf_program* program, uint32_t positions)
{
    const sf_op* ops = program->ops;
    int32_t alive = sfi_output_index(program, ops + plan->before_op);
    for (uint32_t i = 0; i < program->op_count; i++)
        for (int32_t j = 0; i != plan->before_op + 1 && j < ops[i].input_count; j++)
            if (sfi_input_index(program, ops + i, j) == alive)
                return 0;
    for (uint32_t i = plan->before_op + 1; i < plan->tail_op; i++) {
        if (ops[i].input_count != 1 || sfi_input_index(program, ops + i, 0) != alive)
            return 0;
        if (ops[i].kind == SFI_AVERAGE_POOL && covers(program, ops + i))
            positions = 1;
        else if ((ops[i].kind != SFI_RESHAPE && ops[i].kind != SFI_TRANSPOSE) || positions != 1)
            return 0;
        alive = sfi_output_index(program, ops + i);
    }
    return positions == 1 && sfi_input_index(program, ops + plan->tail_op, 0) == alive;
}

static int apart(const sf_tensor* a, const sf_tensor* b)
{
    return a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset;
}

/* Whether the input and the output of the layer before the tail are still there after the last operator. */
static int stays(const sf_plan* plan, const sf_program* program)
{
    const sf_op* before = program->ops + plan->before_op;
    const int32_t kept[] = {sfi_input_index(program, before, 0), sfi_output_index(program, before)};
    for (uint32_t k = 0; k < 2; k++) {
        const sf_tensor* t = program->tensors + kept[k];
        if ((uint32_t)kept[k] == program->input)
            continue;
        for (uint32_t i = plan->before_op; i <= plan->tail_op; i++) {
            const sf_op* op = program->ops + i;
            if (sfi_output_index(program, op) != kept[k] && !apart(t, sfi_output(program, op)))
                return 0;
            if (op->work > 0 && op->work < t->offset + t->bytes)
                return 0;
        }
    }
    return 1;
}

/* Whether the layer before the tail can move by its exact gradient (contract, section 10): its tensors come before the
 * tail's, its weight among them, and its sums of 32 bits hold at least a sample. */
static int before_fits(const sf_plan* plan, const sf_program* program)
{
    if (plan->before_count == 0)
        return 1;
    if (plan->before_op >= plan->tail_op || plan->tail_inputs == 0 || plan->before_bits < 1 ||
        plan->before_bits > MOST_TAIL_BITS || plan->before_shift > MOST_SHIFT)
        return 0;
    const sf_op* op = program->ops + plan->before_op;
    if ((op->kind != SFI_FULLY_CONNECTED && op->kind != SFI_CONV) ||
        (op->kind == SFI_CONV && sfi_groups(program, op) != 1))
        return 0;
    const sf_tensor *x = sfi_input(program, op, 0), *y = sfi_output(program, op), *w = program->tensors + op->weight;
    const uint32_t channels = plan->tail_inputs;
    if (x->dtype != SF_S8 || y->dtype != SF_S8 || channels > SFI_MOST_INPUTS || program->classes > SFI_MOST_CLASSES ||
        (uint32_t)w->elements > SFI_MOST_WEIGHTS || (uint32_t)w->dims[0] != channels ||
        (uint32_t)y->elements % channels != 0 || plan->trainables[plan->voted_count].tensor != (uint32_t)op->weight)
        return 0;
    for (uint32_t i = 0; i < program->op_count; i++)
        if (i != plan->before_op && (program->ops[i].weight == op->weight || program->ops[i].bias == op->bias))
            return 0;
    for (uint32_t i = 0; i < plan->trainable_count; i++)
        if ((i >= plan->voted_count && i < plan->voted_count + plan->before_count) !=
            is_tensor_of(op, plan->trainables[i].tensor))
            return 0;
    return (uint64_t)255 * ((uint32_t)y->elements / channels) << plan->before_bits <= (uint64_t)INT32_MAX &&
           goes_through(plan, program, (uint32_t)y->elements / channels) && stays(plan, program);
}

int sfi_tail_fits(const sf_plan* plan, const sf_program* program)
{
    return last_fits(plan, program) && before_fits(plan, program);
}
