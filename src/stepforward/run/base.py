"""The base of a run that is resumed: the model in fixed point, as the run folder has it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.lowering.weights import network_weights
from stepforward.sources.open import open_source
from stepforward.sources.source import Source


def recorded_base(opened: Source, path: Path) -> Source:
    """The base a float model was quantized to when the run began: calibrating again could differ in a last bit.

    Raises:
        StepforwardError: it was made from another float model, or with other bits.
    """
    base = open_source(path)
    weights = [network_weights(lower(model.network()), only="weight") for model in (opened, base)]
    same = weights[0].keys() == weights[1].keys() and all(
        np.array_equal(q, weights[1][name]) for name, q in weights[0].items()
    )
    if not same:
        raise StepforwardError(
            f"{path} was made from another model than {opened.name}, or with other --bits",
            "give the model and the options the run was started with",
        )
    return replace(opened, model=base.model)
