"""What QZO-FF is tried with, by name: the settings that differ from the defaults.

A value may be a dictionary by trainable set; a set that it leaves out takes the default. `--methods ours:NAME` runs one
of these; a name that is not here takes its settings from `--set`, and its row remembers them.
"""

from typing import Any

from stepforward.presets import PRESETS

CANDIDATES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "labels": {"first_stage": "none"},
    "first-release": {k: v for k, v in PRESETS["first-release"].items() if k not in ("method", "bits")},
    "paper": {k: v for k, v in PRESETS["paper"].items() if k not in ("method", "bits")},
    "8w8a": {"bits": "8w8a"},
    "4w8a": {"bits": "4w8a"},
    "patient": {"tail_rate": 1, "steps": 3000},
    "flat": {"judge": "flat"},
}  # fmt: skip
"""labels: learns from the labels alone, as backpropagation does. patient: the last layers slowly, so that those before
them have time to move before the samples that train are fitted."""


def settings_of(name: str, given: dict[str, Any], train: str) -> dict[str, Any]:
    """The settings of a candidate for a trainable set; `given` are those of the command line.

    >>> settings_of("mine", {"lr": {"all": 1e-3, "head": 1e-2}, "momentum": 0.9}, "head")
    {'lr': 0.01, 'momentum': 0.9}
    """
    if given and name in CANDIDATES:
        raise SystemExit(f"ours:{name} has its settings; choose another name for one with --set")
    if not given and name not in CANDIDATES:
        raise SystemExit(f"no candidate is called {name!r}; one of {', '.join(CANDIDATES)}, or give --set")
    table = CANDIDATES.get(name, given)
    own = {key: value.get(train) if isinstance(value, dict) else value for key, value in table.items()}
    return {key: value for key, value in own.items() if value is not None}
