"""The result of an earlier run, which a resumed run takes figures from; and the report of what was taken."""

from random import Random

from fuzz.mutate import json_bytes, mutated_json
from fuzz.place import as_file
from stepforward.run.folder import RESULT, earlier_figures

SUFFIX = ".json"
_ROW = {"step": 10, "train_loss": 0.5, "validation_loss": 0.4, "validation_accuracy": 0.9}
_RESULT = {
    "weights_sha256": "ab",
    "seconds": 2.5,
    "steps_per_second": 40.0,
    "forward_passes": 1000,
    "kept": "step 10",
}
_RESULT |= {
    "curve": [{**_ROW, "step": 0, "train_loss": None}, _ROW],
    "notes": ["a note"],
    "class_names": ["a", "b"],
}


def make(rng: Random) -> bytes:
    """A result with one or two changes."""
    value = _RESULT
    for _ in range(rng.choice((1, 1, 2))):
        value = mutated_json(rng, value)
    return json_bytes(rng, value)


def read(content: bytes) -> None:
    """Take over the figures, and calculate with them as reports do."""
    figures = earlier_figures(as_file(content, RESULT).parent, "ab")
    if figures:
        float(figures["seconds"]) + float(figures["steps_per_second"]) + figures["forward_passes"]
        for row in figures["curve"]:
            float(row.step), [float(value) for value in vars(row).values() if value is not None]
