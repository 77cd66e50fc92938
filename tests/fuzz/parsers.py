"""The readers, each with inputs to start from, a way to change them, and what is read."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple


class Parser(NamedTuple):
    """One reader.

    Attributes:
        make: the input of a source of randomness.
        read: reads an input; must return or raise StepforwardError.
        suffix: of files that hold an input.
    """

    make: Callable[[Random], bytes]
    read: Callable[[bytes], object]
    suffix: str


def parser(name: str) -> Parser:
    """A reader by name; its module is imported when it is first used."""
    from importlib import import_module

    module = import_module(f"fuzz.{MODULES[name]}")
    return Parser(module.make, module.read, module.SUFFIX)


MODULES = {
    "journal": "of_journal",
    "program": "of_program",
    "plan": "of_plan",
    "metadata": "of_metadata",
    "result": "of_result",
    "npz": "of_npz",
    "csv": "of_csv",
    "recording": "of_recording",
    "sound": "of_sound",
    "image": "of_image",
    "onnx": "of_onnx",
    "tflite": "of_tflite",
    "ort": "of_ort",
    "graph": "of_graph",
}
