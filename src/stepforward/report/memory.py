"""The memory of a run, line by line: what the device holds, and what backpropagation would need."""

from typing import NamedTuple

from stepforward.report.units import show_bytes, show_ratio


class MemoryLine(NamedTuple):
    """One figure: label, bytes, the bytes as text, what it is, and whether it is this host's and not a device's."""

    label: str
    bytes: int
    value: str
    meaning: str
    host: bool


def memory_lines(result: dict) -> list[MemoryLine]:
    """The memory figures of a result; those it lacks are left out.

    Args:
        result: what `adapt` returns.
    """
    training, inference = result.get("scratch_bytes_training"), result.get("scratch_bytes_inference")
    ratio = show_ratio(training, inference)
    known = (
        ("weights", "weight_bytes", "all parameters; a device holds the trained ones in RAM"),
        (
            "scratch, inference",
            "scratch_bytes_inference",
            "a device that only runs the network: activations of one sample",
        ),
        (
            "scratch, training",
            "scratch_bytes_training",
            f"a device that trains: {ratio} times that of inference",
        ),
        (
            "scratch, backprop",
            "backprop_scratch_bytes",
            "calculated: float32 activations and gradients, one sample",
        ),
        (
            "scratch, this host",
            "host_scratch_bytes",
            "many samples at once, packed weights, all threads; less with --memory small",
        ),
        ("journal", "journal_bytes", "on disk: base and journal give the adapted weights"),
    )
    return [
        MemoryLine(label, result[key], show_bytes(result[key]), meaning, key == "host_scratch_bytes")
        for label, key, meaning in known
        if result.get(key) is not None and not (key == "journal_bytes" and result.get("method") == "backprop")
    ]
