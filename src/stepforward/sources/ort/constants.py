"""Weights, biases and other constants of an int8 ONNX file, and where each lies in it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper

from stepforward.graph.nodes import constant, present
from stepforward.network.network import Q_MAX, Parameter
from stepforward.quantization.parameters import bias_scale
from stepforward.sources.ort.file import constant_of
from stepforward.sources.problems import UnreadableError

_SATURATES = (
    "ONNX Runtime on x86 without VNNI saturates sums of products, unless its session has "
    "session.x64quantprecision = 1; elsewhere it does not"
)
_WITHIN = 64
"""Weights up to which two products of bytes fit 16 bits."""

_NEAR = 1e-3
"""How far, relatively, a bias's scale may lie from that of input times weight, which alone counts."""


class Place(NamedTuple):
    """How the file holds a parameter.

    Attributes:
        tensor: name of the constant.
        turned: whether it is transposed, inputs first.
        zero: what is added to every integer: 128 for bytes.
        steps: float32 scales where it holds real values, which the file or the runtime rounds; else None.
    """

    tensor: str
    turned: bool = False
    zero: int = 0
    steps: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class _Integers:
    """A constant between a QuantizeLinear or the file and a DequantizeLinear."""

    value: ir.Value
    array: np.ndarray
    q: np.ndarray
    dtype: ir.DataType
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int
    real: bool

    @property
    def name(self) -> str:
        """Of the constant in the file."""
        return present(self.value.name)


class Constants:
    """Those that have been read, by what reads them.

    Attributes:
        known: what dequantizes integers.
        places: of parameters, by name.
        notes: what a user should know of them.
    """

    def __init__(self, proto: onnx.ModelProto):
        self.proto = proto
        self.known: dict[ir.Value, _Integers] = {}
        self.places: dict[str, Place] = {}
        self.notes: list[str] = []
        self.weights: dict[tuple[str, bool], Parameter] = {}

    def take(self, node: ir.Node) -> None:
        """Note a constant that is quantized or dequantized."""
        value = present(node.inputs[0])
        scale, zero_point, dtype = self.steps(node)
        array, axis = (
            present(constant(value)),
            int(node.attributes["axis"].value) if "axis" in node.attributes else 1,
        )
        axis = axis % array.ndim if array.ndim and scale.size > 1 else 0
        if "block_size" in node.attributes and node.attributes["block_size"].value:
            raise UnreadableError(f"{value.name!r} has a scale for every block")
        if scale.size not in (1, array.shape[axis] if array.ndim else 1):
            raise UnreadableError(f"{value.name!r} has {scale.size} scales on axis {axis} of {array.shape}")
        if not (np.isfinite(scale) & (scale > 0)).all():
            raise UnreadableError(f"the scales of {value.name!r} are not positive")
        if array.dtype.kind != "f":
            q = array.astype(np.int64)
            self.known[node.outputs[0]] = _Integers(
                value, array, q, dtype, scale.reshape(-1), zero_point.reshape(-1), axis, False
            )
            return
        if dtype != ir.DataType.INT8 or zero_point.any():
            raise UnreadableError(f"{value.name!r} is quantized here, and not to symmetric INT8")
        spread = scale.reshape(-1, *(1,) * (array.ndim - 1 - axis)) if scale.size > 1 else scale.reshape(())
        q = np.clip(np.rint(array.astype(np.float32) / spread), -128, 127).astype(np.int64)
        held = _Integers(value, array, q, dtype, scale.reshape(-1), zero_point.reshape(-1), axis, True)
        for use in node.outputs[0].uses():
            self.known[use.node.outputs[0]] = held

    def steps(self, node: ir.Node) -> tuple[np.ndarray, np.ndarray, ir.DataType]:
        """Scale, zero point and type of integers of a QuantizeLinear or a DequantizeLinear."""
        scale = self.array(node.inputs[1])
        zero = node.inputs[2] if len(node.inputs) > 2 else None
        if zero is not None:
            return scale.astype(np.float32), self.array(zero).astype(np.int64), present(zero.dtype)
        if node.op_type == "DequantizeLinear":
            value = present(node.inputs[0])
            dtype = value.dtype
        else:
            dtype = (
                ir.DataType(node.attributes["output_dtype"].value)
                if "output_dtype" in node.attributes
                else None
            )
        return scale.astype(np.float32), np.zeros(scale.shape, np.int64), dtype or ir.DataType.UINT8

    def array(self, value: ir.Value | None) -> np.ndarray:
        """The array of a constant."""
        array = constant(value)
        if array is None:
            raise UnreadableError(f"{getattr(value, 'name', 'an input')!r} is no constant")
        return array

    def number(self, value: ir.Value) -> float | None:
        """The one number that a constant holds, real; None where it is something else."""
        if value in self.known:
            held = self.known[value]
            if held.q.size != 1:
                return None
            return float(np.float32(held.q.reshape(())[()] - held.zero_point[0]) * np.float32(held.scale[0]))
        array = constant(value)
        return None if array is None or array.size != 1 else float(array.reshape(()))

    def weight(self, node: ir.Node, axis: int) -> Parameter:
        """Of an operator, outputs first, which lie on an axis of the file's."""
        value = node.inputs[1]
        held = self.known.get(present(value))
        if held is None:
            raise UnreadableError(f"its weight {getattr(value, 'name', None)!r} is no 8-bit constant")
        turned = axis == 1
        if (held.name, turned) in self.weights:
            return self.weights[held.name, turned]
        if held.dtype not in (ir.DataType.INT8, ir.DataType.UINT8):
            raise UnreadableError(f"its weight {held.name!r} is {held.dtype.name}: INT8 is read")
        zero = 128 if held.dtype == ir.DataType.UINT8 else 0
        if (held.zero_point != zero).any():
            raise UnreadableError(
                f"its weight {held.name!r} is asymmetric: a zero point other than {zero} (give WeightSymmetric=True)"
            )
        if held.scale.size > 1 and held.axis != axis:
            raise UnreadableError(
                f"the scales of its weight {held.name!r} count axis {held.axis}, not its outputs"
            )
        q = held.q - zero
        if q.size == 0 or np.abs(q).max() > Q_MAX["s8"]:
            raise UnreadableError(f"its weight {held.name!r} is empty, or holds -128")
        if np.abs(q).max() > _WITHIN and _SATURATES not in self.notes:
            self.notes.append(_SATURATES)
        if turned:
            if q.ndim != 2:
                raise UnreadableError(f"its weight {held.name!r} has shape {q.shape}")
            q = q.T
        scale = tuple(float(s) for s in held.scale)
        name = held.name if held.name not in self.places else f"{held.name} ({node.name})"
        found = Parameter(name, np.ascontiguousarray(q), "s8", scale, self.frozen(held.name, held.array))
        self.weights[held.name, turned] = found
        self.places[name] = Place(held.name, turned, zero, scale if held.real else None)
        return found

    def bias(self, node: ir.Node, x: float, weight: Parameter) -> Parameter:
        """In the scale of input times weight; zeros that stay where there is none."""
        scale = tuple(float(s) for s in bias_scale(x, np.array(weight.scale)))
        value = node.inputs[2] if len(node.inputs) > 2 else None
        if value is None:
            name = f"{node.outputs[0].name} without bias"
            return Parameter(name, np.zeros(len(weight.q), np.int64), "s32", scale, frozen=True)
        held = self.known.get(value)
        if held is None:
            return self.real_bias(node, value, weight, scale)
        if held.dtype != ir.DataType.INT32 or held.zero_point.any():
            raise UnreadableError(
                f"its bias {held.name!r} is {held.dtype.name}, not INT32 without a zero point"
            )
        if not np.allclose(held.scale, np.array(scale), rtol=_NEAR, atol=0):
            raise UnreadableError(
                f"its bias {held.name!r} does not have the scale of its input times its weight"
            )
        q = held.q.reshape(-1)
        return self.placed_bias(node, held.value, q, weight, scale, None)

    def real_bias(
        self, node: ir.Node, value: ir.Value, weight: Parameter, scale: tuple[float, ...]
    ) -> Parameter:
        """One that the file holds in float32, which the runtime rounds to integers."""
        array = self.array(value)
        if array.dtype != np.float32:
            raise UnreadableError(f"its bias {value.name!r} is {array.dtype}")
        steps = np.array(scale, np.float32)
        q = np.rint((array.reshape(-1) / steps).astype(np.float32)).astype(np.int64)
        return self.placed_bias(node, value, q, weight, scale, scale)

    def placed_bias(
        self,
        node: ir.Node,
        value: ir.Value,
        q: np.ndarray,
        weight: Parameter,
        scale: tuple[float, ...],
        steps: tuple[float, ...] | None,
    ) -> Parameter:
        """A bias that has a place in the file; it stays where it is another layer's too, in whatever scale."""
        name, outputs = present(value.name), len(weight.q)
        if q.shape != (outputs,):
            raise UnreadableError(f"its bias {name!r} has {q.size} numbers, it has {outputs} outputs")
        if q.size and np.abs(q).max() > Q_MAX["s32"]:
            raise UnreadableError(f"its bias {name!r} exceeds 32 bits")
        if len(_layers(value)) > 1:
            self.stays(name, "is the bias of several layers")
            return Parameter(f"{name} ({node.outputs[0].name})", q, "s32", scale, frozen=True)
        self.places[name] = Place(name, False, 0, steps)
        return Parameter(name, q, "s32", scale, self.frozen(name, present(constant(value))))

    def frozen(self, name: str, values: np.ndarray) -> bool:
        """Whether the file has no place for other integers, which is noted."""
        tensor = constant_of(self.proto, name)
        if tensor is not None and np.array_equal(numpy_helper.to_array(tensor), values):
            return False
        self.stays(name, "has no place of its own in the file")
        return True

    def stays(self, name: str, why: str) -> None:
        """Note a parameter that cannot change."""
        note = f"{name} {why}, and stays as it is"
        if note not in self.notes:
            self.notes.append(note)


def _layers(value: ir.Value) -> set[ir.Node]:
    """What reads a constant, as it is or dequantized."""
    found: set[ir.Node] = set()
    for use in value.uses():
        if use.node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            found |= _layers(use.node.outputs[0])
        else:
            found.add(use.node)
    return found
