"""The program in memory: integer operators over tensors, and the weights (docs/file-formats.md, section 1)."""

import hashlib
import math
from dataclasses import dataclass, field

from stepforward.operators.operator import Operator

DTYPES = ("s8", "s16", "s4", "s32")
BITS = {"s8": 8, "s16": 16, "s4": 4, "s32": 32}
MAX_INPUTS = 16
"""Activations that one operator may read in the core."""


@dataclass(frozen=True)
class Tensor:
    """One tensor of one sample (batch left out), or one parameter in its stored layout.

    Attributes:
        shape: 1 to 6 dimensions; images are (H, W, C).
        dtype: "s8", "s16", "s4" or "s32".
        scale: one float, or one per output channel (parameters only).
        offset: bytes from the start of the weights section (parameters) or of one sample's arena (activations);
            -1 for the network's input, which the caller owns.
        channel_rule: "one", "divide" (channel = element // channel_divisor) or "modulo".
        frozen: a parameter that no plan may train.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: tuple[float, ...]
    zero_point: int = 0
    offset: int = 0
    channel_rule: str = "one"
    channel_divisor: int = 1
    frozen: bool = False

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes in memory; two s4 elements share one."""
        return (self.elements * BITS[self.dtype] + 7) // 8

    @property
    def q_max(self) -> int:
        """Largest magnitude of a parameter (symmetric)."""
        return 2 ** (BITS[self.dtype] - 1) - 1


@dataclass(frozen=True)
class Op:
    """An operator in its place in a program.

    Attributes:
        what: the operator, with its own attributes.
        inputs, output: tensors of activations.
        weight, bias: parameter tensors, or -1; several operators may share one.
        work: where a device's working memory begins, in bytes of the arena; 0: after the arena.
    """

    name: str
    what: Operator
    inputs: tuple[int, ...]
    output: int
    weight: int = -1
    bias: int = -1
    work: int = 0

    @property
    def kind(self) -> str:
        """The operator's kind."""
        return self.what.kind

    @property
    def parameters(self) -> tuple[int, ...]:
        """Indices of the parameter tensors this operator reads."""
        return tuple(index for index in (self.weight, self.bias) if index >= 0)


@dataclass(frozen=True)
class Program:
    """What an engine executes.

    Attributes:
        tensors: parameters first (0 .. parameter_count-1), then activations.
        ops: in execution order.
        weights: the weights section: every parameter at its offset.
        arena_bytes: activations of one sample, planned for `cut`.
        cut: leading operators that no perturbation touches.
        metadata: names, preprocessing, class names, bits.
    """

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    input: int
    output: int
    parameter_count: int
    weights: bytes
    arena_bytes: int = 0
    cut: int = 0
    metadata: dict = field(default_factory=dict)

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """The parameter tensors, in the order the direction generator numbers them."""
        return self.tensors[: self.parameter_count]

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights section: the identity of a model in a journal."""
        return hashlib.sha256(self.weights).hexdigest()
