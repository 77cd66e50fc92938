"""A quantized (QDQ) graph as a list of nodes with their integers: what lowering walks."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Format:
    """How the integers of one activation are to be read: real value = scale * (q - zero_point).

    Attributes:
        scale: the float32 value stored in the file, as an exact Python float.
        dtype: "s8" or "s16".
        shape: one sample, batch left out, in ONNX order: (C, H, W) or (N,).
    """

    scale: float
    zero_point: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class QuantizedParameter:
    """One weight or bias in ONNX layout: Conv (O, I/groups, KH, KW), Gemm (O, I), bias (O,).

    Attributes:
        name: its name in the file, e.g. "conv1.weight".
        q: integers, int64.
        dtype: "s16", "s8", "s4" or "s32" (bias).
        scale: one float (per tensor), or one per output channel; exact float32 values.
    """

    name: str
    q: np.ndarray
    dtype: str
    scale: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class QuantizedNode:
    """One operator on activations that have a format.

    Attributes:
        op_type: "Conv", "Gemm", "Clip" (a ReLU or clip that could not be fused), "Add", "MaxPool",
            "AveragePool", "GlobalAveragePool", "Pad", "Concat", "Reshape", "Flatten" or "Transpose".
        inputs: names of the activations it reads; keys of `QuantizedGraph.formats`.
        output: name of the activation it writes, after the fused Relu or Clip.
        attributes: as Python values, every default filled in:
            Conv: kernel_shape, strides, pads (top, left, bottom, right), dilations, group;
            MaxPool: kernel_shape, strides, pads, dilations;
            AveragePool: kernel_shape, strides, pads, count_include_pad (where ceil_mode enlarged the output
            of a pool, the pads at the end are enlarged instead);
            Concat: axis (>= 1, batch counted); Transpose: perm (batch counted, perm[0] = 0); Flatten: axis;
            Pad: pads (all begins, then all ends, batch counted), value (float). Others: empty.
        weight, bias: of Conv and Gemm, else None.
        clip: real bounds (lo, hi) of a fused (or, for "Clip", its own) Relu or Clip; None where unbounded.
    """

    op_type: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict
    weight: QuantizedParameter | None = None
    bias: QuantizedParameter | None = None
    clip: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, eq=False)
class QuantizedGraph:
    """A quantized network: `nodes` in topological order over the activations in `formats`.

    Attributes:
        input, output: names of the network's input and logits; keys of `formats`.
    """

    input: str
    output: str
    nodes: tuple[QuantizedNode, ...]
    name: str
    formats: dict[str, Format]
