"""The network in fixed point: operators over activations that have a format, and parameters that are integers.

Every kind of model file is read into one of these, and lowering walks it. Nothing here knows of a file format.
"""

import math
from dataclasses import dataclass, field

import numpy as np

Q_MAX = {"s16": 2**15 - 1, "s8": 2**7 - 1, "s4": 7, "s32": 2**31 - 1}
"""Largest magnitude of a parameter (symmetric), by dtype."""

LARGEST_LOGITS_SCALE = 0.999 * math.log(2)
"""The multiplier of the integer loss (contract, section 5) takes logits whose step is less than one bit."""


@dataclass(frozen=True)
class Format:
    """How the integers of one activation are to be read: real value = scale * (q - zero_point).

    Attributes:
        scale: a float32 value, as an exact Python float.
        dtype: "s8" or "s16".
        shape: one sample, batch left out, channels first: (C, H, W) or (N,).
    """

    scale: float
    zero_point: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Parameter:
    """One weight or bias, outputs first: Conv (O, I/groups, KH, KW), Gemm (O, I), layer norm (O,), GRU, LSTM
    and RNN (gates * H, H), bias (O,).

    Attributes:
        name: its name in the file, e.g. "conv1.weight".
        q: integers, int64.
        dtype: "s16", "s8", "s4" or "s32" (bias).
        scale: one float (per tensor), or one per output channel; exact float32 values.
        frozen: the file has no place for other integers.
    """

    name: str
    q: np.ndarray
    dtype: str
    scale: tuple[float, ...]
    frozen: bool = False


@dataclass(frozen=True, eq=False)
class Node:
    """One operator on activations that have a format.

    Attributes:
        op_type: "Conv", "Gemm", "Clip" (a ReLU or clip that could not be fused), "Add", "Mul", "Lookup" (any function
            of one value of 8 bits), "LayerNormalization" and "Softmax" (over the last axis), "MatMul" (of two
            tensors), "GRU", "LSTM" and "RNN" (of what a node before them computed for every step), "MaxPool",
            "AveragePool", "GlobalAveragePool", "Pad", "Concat", "Reshape", "Flatten" or "Transpose".
        inputs: names of the activations it reads; keys of `Network.formats`.
        output: name of the activation it writes, after the fused Relu or Clip.
        attributes: as Python values, every default filled in:
            Conv: kernel_shape, strides, pads (top, left, bottom, right), dilations, group;
            MaxPool: kernel_shape, strides, pads, dilations;
            AveragePool: kernel_shape, strides, pads, count_include_pad (where ceil_mode enlarged the output
            of a pool, the pads at the end are enlarged instead);
            Concat: axis (>= 1, batch counted); Transpose: perm (batch counted, perm[0] = 0); Flatten: axis;
            LayerNormalization: epsilon; GRU, LSTM and RNN: direction, GRU: linear_before_reset, RNN: activations
            ("Tanh" or "Relu", one);
            Softmax: mask, where there is one: bool (rows, columns), what is read, for so many rows again and again;
            Lookup: values (float64 (256,): of the function, for the input's integers from -128 on);
            Pad: pads (all begins, then all ends, batch counted), value (float);
            Add, Mul, AveragePool: unsigned where the runtime computes them on bytes, not on int8;
            Reshape: channels_last where the elements are counted (H, W, C), not (C, H, W). Others: empty.
        weight, bias: of Conv, Gemm, LayerNormalization, GRU, LSTM and RNN, else None.
        clip: real bounds (lo, hi) of a fused (or, for "Clip", its own) Relu or Clip; None where unbounded.
    """

    op_type: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict
    weight: Parameter | None = None
    bias: Parameter | None = None
    clip: tuple[float | None, float | None] = (None, None)

    @property
    def parameters(self) -> tuple[Parameter, Parameter]:
        """Weight and bias of a node that has them."""
        assert self.weight is not None and self.bias is not None, self.op_type
        return self.weight, self.bias


@dataclass(frozen=True, eq=False)
class Network:
    """A network in fixed point: `nodes` in topological order over the activations in `formats`.

    Attributes:
        input, output: names of the network's input and logits; keys of `formats`.
        offset, factor: what the input's channels go through before they are quantized, float32 values, one per
            channel: (x - offset) * factor; empty where there is no such step.
        axis: of the channels in a batch that `offset` and `factor` count.
        channels_last: samples are given as (H, W, C), the order in which engines read them; the format of the input is
            (C, H, W) all the same.
        runtime: whose integers its programs compute (`network.runtimes`); None for those of the contract.
        metadata: what its programs carry: bits, preprocessing, class names.
        source: how messages name what it was read from.
        table: what token ids stand for, (ids, D) in the format of the input, which is then (tokens, D); it is no part
            of what is computed, and frozen. None where samples are given as they are read.
    """

    input: str
    output: str
    nodes: tuple[Node, ...]
    name: str
    formats: dict[str, Format]
    offset: tuple[float, ...] = ()
    factor: tuple[float, ...] = ()
    axis: int = 1
    channels_last: bool = False
    runtime: str | None = None
    metadata: dict = field(default_factory=dict)
    source: str = "the network"
    table: Parameter | None = None
