"""What each layer of a network loses in fixed point: every tensor is rounded alone, the rest stays in float32."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from stepforward.graph.forward import rerun, values_of
from stepforward.graph.nodes import PARAMETRIC, present
from stepforward.quantization.choose import Integers
from stepforward.quantization.fusion import FORMAT_OF_INPUT, first_value, quantized_values
from stepforward.quantization.point import Point, as_stored
from stepforward.quantization.wide import why_narrow, why_read_narrow

_MOST_BYTES = 2**28
"""Of the values of one block of samples."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One thing that is rounded: what a layer gives, or its weights.

    Attributes:
        name: of the value, or of the parameter.
        layer: name of the node that computes it, or whose weights they are; "" for the network's input.
        operator: of that node.
        kind: "activation" or "weights".
        bits: it is stored in.
        narrow: why it cannot have 16 bits; None where it can, or has them.
    """

    name: str
    layer: str
    operator: str
    kind: str
    bits: int
    narrow: str | None


def tensors(
    graph: ir.Graph, activations: Mapping[str, Point], parameters: Mapping[str, Integers]
) -> list[Tensor]:
    """Everything that is rounded, in the order of the network; a weight that several layers share appears once."""
    found, seen = [], set()
    for value in quantized_values(graph):
        node, name = value.producer(), present(value.name)
        layer = _layer(node)
        if layer is not None and layer.op_type in PARAMETRIC:
            weight = present(present(layer.inputs[1]).name)
            if weight in parameters and weight not in seen:
                seen.add(weight)
                bits = parameters[weight].bits
                found.append(_tensor(weight, layer, "weights", bits, "weights have the bits of --bits"))
        if value is first_value(graph):
            bits = activations[name].bits
            why = None if bits == 16 else why_read_narrow(value)
            found.append(_tensor(name, None, "activation", bits, why))
        elif node is not None and node.op_type not in FORMAT_OF_INPUT and activations[name].owner == name:
            bits = activations[name].bits
            found.append(_tensor(name, layer, "activation", bits, None if bits == 16 else why_narrow(node)))
    return found


def _tensor(name, layer, kind, bits, narrow):
    node, operator = ("", "input") if layer is None else (str(layer.name), layer.op_type)
    return Tensor(name=name, layer=node, operator=operator, kind=kind, bits=bits, narrow=narrow)


def _layer(node: ir.Node | None) -> ir.Node | None:
    """The node that a fused Relu or Clip belongs to."""
    if node is not None and node.op_type in ("Relu", "Clip"):
        before = present(node.inputs[0]).producer()
        if before is not None and before.op_type in PARAMETRIC:
            return before
    return node


def alone(
    graph: ir.Graph,
    x: NDArray[np.float32],
    wanted: list[Tensor],
    activations: Mapping[str, Point],
    parameters: Mapping[str, Integers],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    """The float network's logits, and those with one tensor rounded, for each.

    Args:
        graph: canonical float graph.
        x: samples, as the network reads them.
        wanted: of `tensors`.
        on_progress: told the number of samples times tensors that are done, and of all.

    Returns:
        logits (N, classes) of the float network, and by name those of each tensor.
    """
    rounded = {t.name: real(parameters[t.name]) for t in wanted if t.kind == "weights"}
    reference: list[NDArray[np.float32]] = []
    found: dict[str, list[NDArray[np.float32]]] = {t.name: [] for t in wanted}
    done, total = 0, len(x) * len(wanted)
    for part in _blocks(graph, x):
        values = values_of(graph, part)
        reference.append(values[present(graph.outputs[0].name)])
        for t in wanted:
            new = rounded[t.name] if t.kind == "weights" else as_stored(values[t.name], activations[t.name])
            found[t.name].append(rerun(graph, values, {t.name: new}))
            done += len(part)
            on_progress(done, total)
    return np.concatenate(reference), {name: np.concatenate(parts) for name, parts in found.items()}


def _blocks(graph: ir.Graph, x: np.ndarray) -> Iterator[np.ndarray]:
    bytes_of_one = sum(array.nbytes for array in values_of(graph, x[:1]).values())
    block = max(1, min(32, _MOST_BYTES // bytes_of_one))
    return (x[start : start + block] for start in range(0, len(x), block))


def real(integers: Integers) -> NDArray[np.float32]:
    """The real values of a parameter."""
    scale = integers.scale
    scale = scale.reshape(-1, *(1,) * (integers.q.ndim - 1)) if scale.ndim else scale
    return (integers.q.astype(np.float32) * scale).astype(np.float32)
