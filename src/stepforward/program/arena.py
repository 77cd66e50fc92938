"""Plan one arena for the activations of one sample: who is alive when, and where it lies."""

from collections.abc import Collection
from dataclasses import replace

from stepforward.program.model import Program

ALIGNMENT = 8


def lifetimes(program: Program, cut: int = 0, kept: Collection[int] = ()) -> dict[int, tuple[int, int]]:
    """First and last operator during which each activation is alive, by tensor index.

    With `cut` > 0 the operators from `cut` on run again and again: what they read of the earlier ones stays alive. So
    do tensors that are `kept`, for what reads them after the last operator.
    The network's input is the caller's and is left out.
    """
    spans: dict[int, list[int]] = {}
    last = len(program.ops) - 1
    for position, op in enumerate(program.ops):
        spans[op.output] = [position, position]
        for index in op.inputs:
            if index != program.input:
                again = position >= cut > spans[index][0]
                spans[index][1] = last if again else max(spans[index][1], position)
    for index in {program.output, *kept} & spans.keys():
        spans[index][1] = last
    return {index: (first, final) for index, (first, final) in spans.items()}


def plan_arena(program: Program, cut: int = 0, kept: Collection[int] = ()) -> Program:
    """The program with activation offsets and arena size planned for perturbations from `cut` on; `kept` ones stay.

    What a device needs besides while an operator runs may begin after the last activation that is alive then
    (`Op.work`): late layers have long rows of weights and small activations.

    Largest tensors are placed first, each at the lowest offset free during its whole lifetime. The result never
    needs more than the sum of the tensors and on chains reaches the floor: the largest pair of neighbours.
    """
    spans = lifetimes(program, cut, kept)
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first, last
    offsets = {}
    for index in sorted(spans, key=lambda i: (-program.tensors[i].bytes, spans[i])):
        first, last = spans[index]
        size = -(-program.tensors[index].bytes // ALIGNMENT) * ALIGNMENT
        offset = 0
        for start, end, other_first, other_last in sorted(placed):
            overlaps_in_time = other_first <= last and first <= other_last
            if overlaps_in_time and start < offset + size and offset < end:
                offset = end
        placed.append((offset, offset + size, first, last))
        offsets[index] = offset
    tensors = tuple(
        replace(tensor, offset=offsets[index]) if index in offsets else tensor
        for index, tensor in enumerate(program.tensors)
    )

    def work(position: int) -> int:
        return max(end for _, end, first, last in placed if first <= position <= last)

    ops = tuple(
        replace(op, work=work(position) if op.parameters else 0) for position, op in enumerate(program.ops)
    )
    arena_bytes = max(end for _, end, _, _ in placed)
    return replace(program, tensors=tensors, ops=ops, arena_bytes=arena_bytes, cut=cut)


def arena_floor(program: Program, cut: int = 0) -> int:
    """Bytes that must be alive at the worst operator: no plan can need less."""
    spans = lifetimes(program, cut)
    return max(
        sum(program.tensors[i].bytes for i, (first, last) in spans.items() if first <= position <= last)
        for position in range(len(program.ops))
    )
