"""The command that makes a run again."""

import shlex

_NOT_OURS = (
    "minutes",
    "threads",
    "memory",
)  # the steps say what the minutes came to; the others change no result

_SWITCHES = {"share_batch": ("--whole-batch", "--share-batch"), "balance": ("--no-balance", "--balance")}
"""Options without a value: the word for False, and for True."""


def command_line(result: dict) -> str | None:
    """The `stepforward adapt` command of a result, every setting spelled out; None for data that came as arrays.

    >>> command_line({"model": "my net.onnx", "data": "clips", "settings": {"steps": 100, "lr": 0.001}})
    "stepforward adapt 'my net.onnx' --data clips --steps 100 --lr 0.001"
    """
    model, data, test = result.get("model"), result.get("data"), result.get("test")
    if not model or not data or "arrays" in (data, test):
        return None
    words = ["stepforward", "adapt", str(model), "--data", str(data)]
    if test:
        words += ["--test", str(test)]
    for name in ("classes", "image", "preprocess", "input_shape"):
        if result.get(name):
            words += [f"--{name.replace('_', '-')}", str(result[name])]
    for name, value in (result.get("settings") or {}).items():
        if name in _SWITCHES:
            words.append(_SWITCHES[name][value])
        elif value is not None and name not in _NOT_OURS:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)
