"""The sites of a program: operators with weights whose channels can be matched one by one."""

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.rounding import CONTRACT
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor
from stepforward.program.weights import pack_all, unpack

_ONE = 1 << 15


class Site(NamedTuple):
    """An operator of a program.

    Attributes:
        name: of the operator.
        place: of the operator in the program.
        channels: of its output.
        positions: of its output in one sample.
    """

    name: str
    place: int
    channels: int
    positions: int


def sites(program: Program) -> list[Site]:
    """The operators with weights of their own, in order, but for the one that computes the logits.

    Bringing back the statistics of the logits would take away what they say, where a user's samples hold other shares
    of the classes; a weight that several operators read has one scale for all; an operator that rounds as another
    runtime does keeps that runtime's scales; and sums of inputs of 16 bits leave the 32 bits that means are kept in.
    """
    readers = Counter(index for op in program.ops for index in op.parameters)
    last = max((i for i, op in enumerate(program.ops) if op.parameters), default=-1)
    return [
        Site(op.name, i, channels, program.tensors[op.output].elements // channels)
        for i, op in enumerate(program.ops)
        if op.parameters
        and i != last
        and op.what.rounding == CONTRACT
        and op.kind in ("conv", "depthwise", "fully_connected")
        and program.tensors[op.inputs[0]].dtype == "s8"
        if all(readers[index] == 1 for index in op.parameters)
        for channels in (program.tensors[op.bias].elements,)
    ]


def bias_of(program: Program, site: Site) -> Int:
    """The site's bias, s32, one for each channel."""
    return unpack(program.tensors[program.ops[site.place].bias], program.weights)


def weight_of(program: Program, site: Site) -> Int:
    """The site's weights, shape (channels, elements)."""
    tensor = program.tensors[program.ops[site.place].weight]
    return unpack(tensor, program.weights).reshape(site.channels, -1)


def opened(program: Program, site: Site, mean: Int, shift: Int) -> Program:
    """The program up to a site, with the site's accumulators in place of its outputs: what a matching reads.

    The output is s16: every accumulator less `mean`, divided by 2^shift and rounded half up, within +-32767. That is
    an ordinary requantizer, so every engine computes it.

    Args:
        program: where the site stands.
        site: of the program.
        mean: one for each channel; the bias less it must be an s32.
        shift: 0 to 32, one for each channel.
    """
    op = program.ops[site.place]
    what = replace(op.what, rescale=tuple((_ONE, 15 + int(s)) for s in shift), lo=-32767, hi=32767)
    out = program.tensors[op.output]
    ops = (*_needed(program.ops[: site.place], set(op.inputs)), replace(op, what=what))
    tensors = {index: program.tensors[index] for index in _activations(ops, program.input)}
    tensors[op.output] = Tensor(out.name, out.shape, "s16", (1.0,))
    first = program.parameter_count
    place = {index: first + number for number, index in enumerate(tensors)}
    moved = pack_all(program, {op.bias: bias_of(program, site) - mean})
    return plan_arena(
        Program(
            tensors=(*program.parameters, *tensors.values()),
            ops=tuple(
                replace(o, inputs=tuple(place[i] for i in o.inputs), output=place[o.output]) for o in ops
            ),
            input=place[program.input],
            output=place[op.output],
            parameter_count=first,
            weights=moved,
        )
    )


def _activations(ops: tuple[Op, ...], given: int) -> list[int]:
    """The input, and what the operators write."""
    return [given, *(op.output for op in ops)]


def _needed(ops: tuple[Op, ...], wanted: set[int]) -> list[Op]:
    """Those that some activations depend on."""
    kept = []
    for op in reversed(ops):
        if op.output in wanted:
            kept.append(op)
            wanted |= set(op.inputs)
    return kept[::-1]
