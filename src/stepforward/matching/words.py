"""References as a model's metadata hold them, and back, checked: a model may come from anybody."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stepforward.arithmetic.matching import Reference
from stepforward.errors import StepforwardError
from stepforward.matching.sites import sites
from stepforward.program.model import Program

VERSION = 1
_MOST = 2**31 - 1


def to_words(references: Mapping[str, Reference], samples: int) -> dict[str, Any]:
    """A JSON object.

    Args:
        references: by the name of the operator.
        samples: that they were measured on.
    """
    return {
        "version": VERSION,
        "samples": samples,
        "sites": {
            name: {
                "mean": reference.mean.tolist(),
                "deviation": reference.deviation.tolist(),
                "distances": list(reference.distances),
            }
            for name, reference in references.items()
        },
    }


def from_words(words: dict, program: Program, name: str) -> dict[str, Reference]:
    """The references of a program's sites.

    Args:
        words: of `to_words`; {} where the model has none.
        program: that they belong to.
        name: of the model, for messages.

    Raises:
        StepforwardError: there are none, or they do not fit the program.
    """
    if not words:
        raise StepforwardError(
            f"{name} does not say what its activations are on the data it was made for, which matching goes back to",
            "quantize the float model on such data: stepforward quantize MODEL --data SOURCE_DATA --out FILE; then "
            "give FILE",
        )
    entries = words.get("sites")
    if words.get("version") != VERSION or not isinstance(entries, dict):
        raise _damaged(name, "they are of another version")
    known = {site.name: site for site in sites(program)}
    found = {}
    for key, entry in entries.items():
        if key not in known or not isinstance(entry, dict):
            raise _damaged(name, f"there is no site {key!r}")
        mean, deviation = (
            _integers(entry.get(field), known[key].channels, low)
            for field, low in (("mean", -_MOST), ("deviation", 0))
        )
        distances = _integers(entry.get("distances"), 2, 1)
        if mean is None or deviation is None or distances is None:
            raise _damaged(name, f"the numbers of {key!r} are not those of {known[key].channels} channels")
        found[key] = Reference(mean, deviation, (int(distances[0]), int(distances[1])))
    return found


def _integers(values: Any, count: int, low: int) -> np.ndarray | None:
    """int64, or None where they are not `count` whole numbers from `low` to 2^31 - 1."""
    if not isinstance(values, list) or len(values) != count:
        return None
    if not all(type(value) is int and low <= value <= _MOST for value in values):
        return None
    return np.array(values, dtype=np.int64)


def _damaged(name: str, why: str) -> StepforwardError:
    return StepforwardError(
        f"the statistics in {name} (metadata property stepforward.statistics) do not fit it: {why}",
        "quantize the float model again: stepforward quantize MODEL --data SOURCE_DATA --out FILE",
    )
