"""Finer steps for activations of which the samples use less than half: before the first step of a run."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.ranges import halvings
from stepforward.data.rows import evenly
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.program.cut import after, alone, joint, up_to
from stepforward.program.model import Program
from stepforward.run.tried import Tried
from stepforward.scores import Score
from stepforward.sources.source import Source

MOST_SAMPLES = 512
"""Samples that ranges are read from, spread over those there are."""

FINER = "finer steps"

_TOGETHER = 1 << 22
"""Numbers of the largest activation, of the samples that are looked at together."""


@dataclass(frozen=True, kw_only=True)
class Ranges(Tried):
    """What people read of finer steps: `FINER`, or why the base was kept.

    Attributes:
        halvings: name of an activation -> how often its steps were halved; what was tried where the base is kept.
        least_correct: held-out samples, each as often as it counts, that the base classifies correctly; None where it
            is kept.
    """

    halvings: Mapping[str, int]
    least_correct: int | None = None

    @property
    def helped(self) -> bool:
        """Whether the steps of the run begin with them."""
        return self.kept == FINER

    @property
    def told(self) -> str:
        """One line for people."""
        return self._in_one_line(
            f"{self.kept} of {len(self.halvings)} activations" if self.helped else self.kept
        )


def of_scores(
    halvings: Mapping[str, int],
    before: Score,
    after: Score,
    counts: NDArray[np.int64],
    passes: int,
    temperature: float,
) -> Ranges:
    """What finer steps came to: they are kept where the loss of held-out samples does not rise.

    How many of them are classified correctly changes by chance where answers are close, and does not decide; the
    weights that a run keeps are held to the base's number.

    Args:
        halvings: that were tried, by name.
        before, after: of held-out samples, `counts` of whose classes each counts.
        passes: samples sent through the network for it.
        temperature: of the losses.
    """
    (correct, loss), (_, finer) = before.weighed(counts), after.weighed(counts)
    worse = finer > loss
    return Ranges(
        kept="base: finer steps did not help on held-out samples" if worse else FINER,
        halvings=halvings,
        least_correct=None if worse else correct,
        forward_passes=passes,
        temperature=temperature,
    ).scored(before, after)


def found(
    most: Mapping[str, int], program: Program, x: NDArray[np.integer], threads: int | None
) -> dict[int, int]:
    """How often the steps of each activation can be halved with all samples in range, where that is at least once.

    Args:
        most: activations of the model that may have finer steps, and how often they may be halved.
        program: what the model is lowered to.
        x: samples in the program's input format; at most `MOST_SAMPLES` of them are looked at.
        threads: of the C core. Changes nothing.

    Returns:
        Number of a tensor of the program -> halvings.
    """
    x = x[evenly(len(x), MOST_SAMPLES)]
    wanted = {index for index, tensor in enumerate(program.tensors) if most.get(tensor.name)}
    seen: dict[int, tuple[int, int]] = {}
    together = max(
        1, _TOGETHER // max(tensor.elements for tensor in program.tensors[program.parameter_count :])
    )
    for at in range(0, len(x), together):
        for index, (low, high) in _extremes(program, x[at : at + together], wanted, threads).items():
            before = seen.get(index, (low, high))
            seen[index] = min(low, before[0]), max(high, before[1])
    times = {}
    for index, (low, high) in sorted(seen.items()):
        tensor = program.tensors[index]
        times[index] = min(halvings(low, high, tensor.zero_point), most[tensor.name])
    return {index: often for index, often in times.items() if often}


def _extremes(
    program: Program, x: NDArray[np.integer], wanted: set[int], threads: int | None
) -> dict[int, tuple[int, int]]:
    """The least and the largest integer of activations.

    An operator that reads one activation of 8 bits goes on from there; others, from the last place where a single
    one joins what lies before with what follows.
    """
    found = {program.input: (int(x.min()), int(x.max()))} if program.input in wanted else {}
    start, known = 0, {program.input: x}
    needed = wanted | {i for op in program.ops if len(op.inputs) == 1 for i in op.inputs}
    for position, op in enumerate(program.ops):
        place = joint(program, position)
        if place in known:
            start, known = position, {place: known[place]}
        if op.output not in needed:
            continue
        tensor, (first, *others) = program.tensors[op.output], op.inputs
        if not others and first in known:
            part, given = alone(program, position), known[first]
        else:
            ((_, given), *_) = known.items()
            part = up_to(after(program, start) if start else program, position - start)
        out = logits_of(CoreEngine(part, threads=threads), given)
        if op.output in wanted:
            found[op.output] = int(out.min()), int(out.max())
        if tensor.dtype == "s8":
            known[op.output] = out.astype(np.int8).reshape(-1, *tensor.shape)
    return found


def refined(
    opened: Source, program: Program, halvings: Mapping[int, int], source: str
) -> tuple[Source, Program]:
    """The model and its program with the finer steps that a journal says.

    Args:
        opened: the model, and `program` what it is lowered to.
        halvings: by number of a tensor of the base.
        source: the journal, for messages.

    Raises:
        StepforwardError: they do not fit it.
    """
    if not halvings:
        return opened, program
    try:
        finer = opened.with_finer_steps({program.tensors[i].name: times for i, times in halvings.items()})
    except (IndexError, StepforwardError) as error:
        raise StepforwardError(
            f"{source} is not the journal of a run: its finer steps do not fit the model ({error})",
            "restore it from a copy, or start a new run",
        ) from error
    return finer, lower(finer.network())
