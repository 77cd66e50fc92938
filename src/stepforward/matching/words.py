"""References as a model's metadata hold them, and back, checked: a model may come from anybody."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np

from stepforward.arithmetic.matching import ONE, Patches, Reference
from stepforward.errors import StepforwardError
from stepforward.matching.patches import lags_shape, windows
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
                **({} if reference.patches is None else {"patches": _patches_to_words(reference.patches)}),
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
    known, mixable = {site.name: site for site in sites(program)}, windows(program)
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
        patches = None
        if key in mixable and "patches" in entry:
            patches = _patches(entry["patches"], lags_shape(program, known[key], mixable[key]))
            if patches is None:
                raise _damaged(name, f"the patches of {key!r} are not those of its inputs")
        found[key] = Reference(mean, deviation, (int(distances[0]), int(distances[1])), patches)
    return found


def _patches_to_words(patches: Patches) -> dict[str, Any]:
    lags = base64.b64encode(patches.lags.astype("<i2").tobytes()).decode()
    return {"mean": patches.mean.tolist(), "unit": patches.unit.tolist(), "lags": lags}


def _patches(words: Any, shape: tuple[int, ...]) -> Patches | None:
    """None where they are not of that shape, or are no covariances."""
    if not isinstance(words, dict) or not isinstance(words.get("lags"), str):
        return None
    mean, unit = (_integers(words.get(field), shape[-1], low) for field, low in (("mean", -255), ("unit", 1)))
    try:
        lags = np.frombuffer(base64.b64decode(words["lags"], validate=True), "<i2").astype(np.int64)
    except (ValueError, binascii.Error):
        return None
    if mean is None or unit is None or lags.size != np.prod(shape) or (np.abs(lags) > ONE).any():
        return None
    return Patches(mean, unit, lags.reshape(shape)) if max(mean.max(), unit.max() >> 4) <= 255 else None


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
