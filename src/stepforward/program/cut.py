"""A program in two: the operators before a cut, and those after it, joined by one activation."""

from dataclasses import replace

from stepforward.program.arena import plan_arena
from stepforward.program.model import Program


def joint(program: Program, position: int) -> int | None:
    """The only activation that operators from `position` on read of what lies before; None if there is not one, or not
    of 8 bits, as an input must be."""
    made = {op.output for op in program.ops[position:]}
    read = {index for op in program.ops[position:] for index in op.inputs} - made
    if position == 0 or len(read) != 1 or program.input in read:
        return None
    (index,) = read
    return index if program.tensors[index].dtype == "s8" else None


def last_joint(program: Program, position: int, most: int | None = None) -> int:
    """The last place up to a position where a program may be cut: where one activation, of at most so many numbers,
    joins both parts; 0 if there is none. The position itself often is no such place: inside a residual block a second
    activation passes it by."""
    for at in range(position, 0, -1):
        index = joint(program, at)
        if index is not None and (most is None or program.tensors[index].elements <= most):
            return at
    return 0


def before(program: Program, position: int) -> Program:
    """The operators up to `position`; the output is the joint. Parameters and their numbers stay as they are."""
    return _first(program, position, _joint(program, position))


def up_to(program: Program, position: int) -> Program:
    """The operators up to the one at `position`, whose output is the program's."""
    return _first(program, position + 1, program.ops[position].output)


def alone(program: Program, position: int) -> Program:
    """The operator at `position`, which reads one activation of 8 bits: the program's input."""
    op = program.ops[position]
    return plan_arena(
        _with_its_own_tensors(replace(program, ops=(op,), input=op.inputs[0], output=op.output))
    )


def after(program: Program, position: int) -> Program:
    """The operators from `position` on; the input is the joint. Parameters and their numbers stay as they are."""
    second = replace(program, ops=program.ops[position:], input=_joint(program, position))
    return plan_arena(_with_its_own_tensors(second))


def _first(program: Program, count: int, output: int) -> Program:
    return plan_arena(_with_its_own_tensors(replace(program, ops=program.ops[:count], output=output)))


def _joint(program: Program, position: int) -> int:
    index = joint(program, position)
    if index is None:
        raise ValueError(f"{position} operators do not end in one activation of 8 bits")
    return index


def _with_its_own_tensors(program: Program) -> Program:
    """Without the activations of other operators."""
    activations = {program.input, *(op.output for op in program.ops)}
    kept = [i for i in range(len(program.tensors)) if i < program.parameter_count or i in activations]
    number = {index: at for at, index in enumerate(kept)}
    tensors = [program.tensors[index] for index in kept]
    tensors[number[program.input]] = replace(program.tensors[program.input], offset=-1)
    ops = tuple(
        replace(op, inputs=tuple(number[i] for i in op.inputs), output=number[op.output])
        for op in program.ops
    )
    return replace(
        program,
        tensors=tuple(tensors),
        ops=ops,
        input=number[program.input],
        output=number[program.output],
    )
