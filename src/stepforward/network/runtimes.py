"""Runtimes of int8 networks, and how each rounds: a network that is read from a file of theirs names one.

Imports nothing slow: the table of settings lists the names.
"""

from typing import NamedTuple


class Runtime(NamedTuple):
    """How a runtime rounds.

    Attributes:
        what: it is, for people.
        products: the rounding of convolutions, products and means, by its name (`arithmetic.rounding.NAMES`).
        fully_connected: the same of fully connected layers.
    """

    what: str
    products: str
    fully_connected: str


RUNTIMES = {
    "tflm": Runtime("TensorFlow Lite Micro, reference kernels", "twice", "twice"),
    "cmsis": Runtime("TensorFlow Lite Micro with CMSIS-NN as it is built by default", "twice", "twice"),
    "litert": Runtime("LiteRT as installed: XNNPACK", "float32", "float32"),
    "litert-ref": Runtime("LiteRT with BUILTIN_REF kernels", "twice", "once"),
}
"""Those that run TensorFlow Lite files, by the name that `--runtime` takes; the first is the default.

Two operators of XNNPACK round in ways of their own, and differ from a program's by one near a half: ADD, in a single
rounding of 21-bit multipliers, and MEAN, whose zero point is added before it is rounded.
"""
