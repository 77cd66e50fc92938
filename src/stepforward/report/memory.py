"""The memory of a run, line by line: what the device holds, and what backpropagation would need."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from stepforward.memory import Memory
from stepforward.methods.table import INTEGERS, METHODS
from stepforward.report.units import show_bytes, show_ratio
from stepforward.run.result import RunResult

_HOST = "scratch, this host"


class MemoryLine(NamedTuple):
    """One figure: label, bytes, the bytes as text, what it is, and whether it is this host's and not a device's."""

    label: str
    bytes: int
    value: str
    meaning: str
    host: bool


def memory_lines(memory: Memory, host: int | None = None, journal: int | None = None) -> list[MemoryLine]:
    """The figures of a device; and those of this host and of a journal, where there are any.

    Args:
        memory: of a device.
        host: bytes of working memory on this machine.
        journal: bytes on disk.
    """
    ratio = show_ratio(memory.scratch_bytes_training, memory.scratch_bytes_inference)
    known = (
        ("weights", memory.weight_bytes, "all parameters; a device holds the trained ones in RAM"),
        (
            "scratch, inference",
            memory.scratch_bytes_inference,
            "a device that only runs the network: activations of one sample",
        ),
        (
            "scratch, training",
            memory.scratch_bytes_training,
            f"a device that trains: {ratio} times that of inference",
        ),
        (
            "scratch, backprop",
            memory.backprop_scratch_bytes,
            "calculated: float32 activations and gradients, one sample",
        ),
        (_HOST, host, "many samples at once, packed weights, all threads; less with --memory small"),
        ("journal", journal, "on disk: base and journal give the adapted weights"),
    )
    return [
        MemoryLine(label, count, show_bytes(count), meaning, label == _HOST)
        for label, count, meaning in known
        if count is not None
    ]


def of_result(result: RunResult) -> list[MemoryLine]:
    """The figures of a run; a method that keeps no journal shows none."""
    journal = result.journal_bytes if METHODS[result.method].needs == INTEGERS else None
    return memory_lines(result, result.host_scratch_bytes, journal)


def of_entries(result: Mapping[str, Any]) -> list[MemoryLine]:
    """The figures among the entries of `inspect` and `quantize`."""
    return memory_lines(Memory(**{entry.name: result[entry.name] for entry in fields(Memory)}))
