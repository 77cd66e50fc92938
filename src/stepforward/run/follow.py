"""A quantized model that is matched to samples while it sees them, as on a device."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.engines.matching import MatchingEngine
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.matching.plan import for_matching
from stepforward.matching.words import from_words
from stepforward.plan.matching import MatchingPlan
from stepforward.program.model import Program
from stepforward.sources.source import Source, check_scales


class Followed(NamedTuple):
    """What a stream gives.

    Attributes:
        logits: integers, (n, classes), each sample's with what those before it led to.
        program: the base.
        note: for people.
    """

    logits: NDArray[np.int32]
    program: Program
    note: str


def follow(opened: Source, x: NDArray[np.float32]) -> Followed:
    """Logits of samples in their order, without labels.

    Args:
        opened: a quantized model with the statistics of its own data.
        x: as its preprocessing makes them.

    Raises:
        StepforwardError: a float model, or one without statistics.
    """
    if opened.is_float:
        raise StepforwardError(
            f"{opened.name} is a float model, and only a quantized one is matched while it is used",
            "quantize it on its training data: stepforward quantize MODEL --data SOURCE_DATA --out FILE; then "
            "give FILE",
        )
    check_scales(opened, "--follow")
    program = lower(opened.network())
    plan = matching_plan(opened, program)
    logits = MatchingEngine(program, plan).follow(quantize_input(program, x))
    note = f"samples were followed in their order, with {plan.state_bytes:,} bytes of state"
    return Followed(logits, program, note)


def matching_plan(opened: Source, program: Program) -> MatchingPlan:
    """How a model's program is matched while it is used.

    Raises:
        StepforwardError: it has no statistics.
    """
    return for_matching(program, from_words(opened.statistics, program, opened.name))
