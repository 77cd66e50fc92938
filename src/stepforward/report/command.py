"""The command that makes a run again."""

import shlex

from stepforward.run.result import RunResult

_NOT_OURS = (
    "minutes",
    "threads",
    "memory",
)  # the steps say what the minutes came to; the others change no result

_SWITCHES = {"share_batch": ("--whole-batch", "--share-batch"), "balance": ("--no-balance", "--balance")}
"""Options without a value: the word for False, and for True."""


def command_line(result: RunResult) -> str | None:
    """The `stepforward adapt` command of a result, every setting spelled out; None for data that came as arrays."""
    data, test = result.data, result.test
    if not data or "arrays" in (data, test):
        return None
    words = ["stepforward", "adapt", result.source, "--data", data]
    if test:
        words += ["--test", test]
    for name in ("classes", "image", "preprocess", "input_shape", "output", "fixed_inputs"):
        if getattr(result, name):
            words += [f"--{name.replace('_', '-')}", str(getattr(result, name))]
    for name, value in result.settings.items():
        if name in _SWITCHES:
            words.append(_SWITCHES[name][value])
        elif value is not None and name not in _NOT_OURS:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)
