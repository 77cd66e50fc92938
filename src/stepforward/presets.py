"""Settings by one word: a preset names every setting that matters, so that no default decides for it."""

from collections.abc import Mapping
from typing import Any

from stepforward.errors import StepforwardError
from stepforward.settings import TABLE

_PAPER: dict[str, Any] = {
    "method": "qzo-ff",
    "first_stage": "none",
    "ranges": "given",
    "head_start": "none",
    "bias_start": "none",
    "steps": 2000,
    "most_steps": 0,
    "balance": False,
    "bits": "16w8a",
    "calibration": "minmax",
    "wide": "",
    "directions": 3,
    "share_batch": False,
    "votes": "sign",
    "temperature": 1.0,
    "sizes": "absolute",
    "bias_sizes": "range",
    "epsilon": 1e-3,
    "lr": 1e-3,
    "batch": 128,
    "momentum": 0.0,
    "optimizer": "sgd",
    "distribution": "normal",
    "perturbation": "paper",
    "rounding": "floor",
    "sparsity": 0.0,
    "mask": "magnitude",
    "guide": 0.0,
    "sharpness": 0,
    "low_bits": "direct",
    "schedule": "constant",
    "warmup": 0,
    "tail": "votes",
    "tail_layers": 1,
    "tail_rate": 4.0,
    "judge": "plain",
}

_FIRST_RELEASE = _PAPER | {
    "directions": 4,
    "share_batch": True,
    "temperature": 2.0,
    "epsilon": 3e-3,
    "lr": 2e-3,
    "perturbation": "exact",
    "rounding": "nearest",
    "schedule": "cosine",
}

PRESETS = {"paper": _PAPER, "first-release": _FIRST_RELEASE}
"""What each sets. paper: "Stepping Forward on the Last Mile" (NeurIPS 2024), few-shot experiments with 16w8a: m = 3,
epsilon 1e-3, SGD, the largest rate of its grid (1e-3, 1e-4, 1e-5), its perturbation and its floored update. Steps,
batch and schedule, which it gives in epochs or not at all, are ours. first-release: what this tool did without a
setting before epsilon and rate found themselves."""


def with_preset(preset: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a preset, and those that were given instead of its own.

    Its epsilon and learning rate are of its `sizes`: with others they are found, unless they are given.

    Raises:
        StepforwardError: there is no such preset.

    >>> with_preset("paper", {"directions": 1})["directions"]
    1
    """
    if preset is None:
        return dict(given)
    if preset not in PRESETS:
        raise StepforwardError(f"preset = {preset!r}", f"choose one of {', '.join(PRESETS)}")
    own = dict(PRESETS[preset])
    if given.get("minutes") is not None:
        del own["steps"]
    if given.get("sizes", own["sizes"]) != own["sizes"]:
        del own["epsilon"], own["lr"]  # they are numbers of the preset's own sizes
    return own | dict(given)


def options_of(preset: str) -> str:
    """What a preset sets, as options of the command.

    >>> "--directions 3 --whole-batch" in options_of("paper")
    True
    """
    words = []
    for name, value in PRESETS[preset].items():
        flags = TABLE[name].flags
        if flags:
            words.append(flags[0].split("/")[0 if value else 1])
        else:
            words.append(f"--{name.replace('_', '-')} {value}")
    return " ".join(words)
