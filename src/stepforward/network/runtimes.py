"""Runtimes of int8 networks, and how each rounds: a network that is read from a file of theirs names one.

Imports nothing slow: the table of settings lists the names.
"""

from typing import NamedTuple


class Runtime(NamedTuple):
    """How a runtime rounds.

    Attributes:
        what: it is, for people.
        files: endings of the files that it runs.
        products: the rounding of convolutions, products and means, by its name (`arithmetic.rounding.NAMES`).
        fully_connected: the same of fully connected layers.
        inside: whether sums and products of two tensors are float32, with the zero points inside.
        single: whether the ratio of a product of two tensors is taken in float32, before it becomes a multiplier.
        even: whether samples half way between two integers become the even one, not the one away from zero.
    """

    what: str
    files: str
    products: str
    fully_connected: str
    inside: bool = False
    single: bool = False
    even: bool = False


RUNTIMES = {
    "tflm": Runtime("TensorFlow Lite Micro, reference kernels", ".tflite", "twice", "twice"),
    "cmsis": Runtime(
        "TensorFlow Lite Micro with CMSIS-NN as it is built by default", ".tflite", "twice", "twice"
    ),
    "litert": Runtime("LiteRT as installed: XNNPACK", ".tflite", "float32", "float32"),
    "litert-ref": Runtime("LiteRT with BUILTIN_REF kernels", ".tflite", "twice", "once", single=True),
    "ort": Runtime("ONNX Runtime on its CPU", ".onnx", "float32", "float32", inside=True, even=True),
}
"""By the name that `--runtime` takes; the first that runs a kind of file is the default for it.

Two operators of XNNPACK round in ways of their own, and differ from a program's by one near a half: ADD, in a single
rounding of 21-bit multipliers, and MEAN, whose zero point is added before it is rounded. What ONNX Runtime computes in
float32 is said of each file (`sources.ort.floats`); its additions are those of x86.
"""


def of_files(ending: str) -> tuple[str, ...]:
    """The names of those that run files of one kind.

    >>> of_files(".onnx")
    ('ort',)
    """
    return tuple(name for name, runtime in RUNTIMES.items() if runtime.files == ending)
