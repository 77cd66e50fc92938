"""LiteRT with XNNPACK as a peer: the same int8 network in a TensorFlow Lite file, written here."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from stepforward.bench.tflite_draft import Draft
from stepforward.errors import StepforwardError
from stepforward.network.network import Format, Network, Node

_ACTIVATIONS = {(None, None): 0, (0.0, None): 1, (-1.0, 1.0): 2, (0.0, 6.0): 3}
_SAME, _VALID = 0, 1


def forward(network: Network, x: NDArray[np.integer], threads: int) -> Callable[[], NDArray[np.int8]]:
    """A call that runs an int8 network on integers in its input's format, (N, H, W, C)."""
    interpreter = Interpreter(model_content=as_file(network, len(x)), num_threads=threads)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()

    def call() -> NDArray[np.int8]:
        interpreter.set_tensor(source["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(result["index"])

    return call


def as_file(network: Network, batch: int) -> bytes:
    """A TensorFlow Lite file of a network with 8-bit weights and activations, for batches of one size.

    Raises:
        StepforwardError: it has an operator or a padding that this writer does not know, by the name of its node.
    """
    writer = _Writer(network, batch)
    for node in network.nodes:
        write = getattr(writer, node.op_type.lower(), None)
        if write is None or any(network.formats[name].dtype != "s8" for name in (*node.inputs, node.output)):
            raise _unknown(node)
        write(node)
    return writer.draft.content([writer.at[network.input]], [writer.at[network.output]])


def _unknown(node: Node) -> StepforwardError:
    return StepforwardError(
        f"{node.op_type} node {node.name!r} cannot be written as TensorFlow Lite",
        "leave this network out of the comparison with LiteRT",
    )


class _Writer:
    def __init__(self, network: Network, batch: int):
        self.network, self.batch, self.draft = network, batch, Draft()
        self.at: dict[str, int] = {}
        self.images: dict[str, tuple[int, ...]] = {}  # what was flattened, by the name of the result
        self.tensor(network.input)

    def form(self, name: str) -> Format:
        return self.network.formats[name]

    def tensor(self, name: str) -> int:
        self.at[name] = self.made(name, self.form(name))
        return self.at[name]

    def made(self, name: str, form: Format) -> int:
        """An activation, channels last."""
        shape = (*form.shape[1:], form.shape[0]) if len(form.shape) == 3 else form.shape
        return self.draft.activation(name, (self.batch, *shape), form.scale, form.zero_point)

    def parameters(self, node: Node, q: np.ndarray, axis: int) -> list[int]:
        weight, bias = node.parameters
        return [
            self.draft.constant(f"{node.name}/{weight.name}", q.astype(np.int8), weight.scale, axis=axis),
            self.draft.constant(f"{node.name}/{bias.name}", bias.q.astype(np.int32), bias.scale),
        ]

    def conv(self, node: Node) -> None:
        a, q = node.attributes, node.parameters[0].q
        x, options = self.window(node)
        options |= {"DilationHFactor": a["dilations"][0], "DilationWFactor": a["dilations"][1]}
        if a["group"] > 1:
            if q.shape[1] != 1:
                raise _unknown(node)
            inputs = self.parameters(node, q[:, 0].transpose(1, 2, 0)[None], 3)
            code, options["DepthMultiplier"] = "DEPTHWISE_CONV_2D", len(q) // a["group"]
        else:
            inputs, code = self.parameters(node, q.transpose(0, 2, 3, 1), 0), "CONV_2D"
        self.operator(node, code, [x, *inputs], **options, **self.fused(node))

    def gemm(self, node: Node) -> None:
        q, image = node.parameters[0].q, self.images.get(node.inputs[0])
        if image is not None:
            q = q.reshape(len(q), *image).transpose(0, 2, 3, 1).reshape(len(q), -1)
        inputs = [self.at[node.inputs[0]], *self.parameters(node, q, 0)]
        self.operator(node, "FULLY_CONNECTED", inputs, **self.fused(node))

    def add(self, node: Node) -> None:
        self.operator(node, "ADD", [self.at[name] for name in node.inputs], **self.fused(node))

    def maxpool(self, node: Node) -> None:
        self.pool(node, "MAX_POOL_2D")

    def averagepool(self, node: Node) -> None:
        if any(node.attributes["pads"]) and node.attributes["count_include_pad"]:
            raise _unknown(node)
        self.pool(node, "AVERAGE_POOL_2D")

    def pool(self, node: Node, code: str) -> None:
        if self.padding(node) is None:
            raise _unknown(node)
        x, options = self.window(node)
        height, width = node.attributes["kernel_shape"]
        self.operator(node, code, [x], **options, FilterHeight=height, FilterWidth=width, **self.fused(node))

    def pad(self, node: Node) -> None:
        pads = node.attributes["pads"]
        if node.attributes["value"] or len(pads) != 8:
            raise _unknown(node)
        ends = [[pads[axis], pads[axis + 4]] for axis in (0, 2, 3, 1)]
        widths = self.draft.constant(f"{node.name}/pads", np.array(ends, np.int32))
        self.operator(node, "PAD", [self.at[node.inputs[0]], widths])

    def globalaveragepool(self, node: Node) -> None:
        axes = self.draft.constant(f"{node.name}/axes", np.array([1, 2], np.int32))
        self.operator(node, "MEAN", [self.at[node.inputs[0]], axes], KeepDims=True)

    def flatten(self, node: Node) -> None:
        shape = self.form(node.inputs[0]).shape
        if len(self.form(node.output).shape) != 1:
            raise _unknown(node)
        if len(shape) == 3:
            self.images[node.output] = shape
        size = np.array([self.batch, np.prod(shape)], np.int32)
        shape_at = self.draft.constant(f"{node.name}/shape", size)
        self.operator(node, "RESHAPE", [self.at[node.inputs[0]], shape_at])

    reshape = flatten

    def operator(self, node: Node, code: str, inputs: list[int], **options: int) -> None:
        self.draft.operator(code, inputs, [self.tensor(node.output)], **options)

    def fused(self, node: Node) -> dict[str, int]:
        if node.clip not in _ACTIVATIONS:
            raise _unknown(node)
        return {"FusedActivationFunction": _ACTIVATIONS[node.clip]}

    def padding(self, node: Node) -> int | None:
        """The padding of TensorFlow that a window has; None where it is another one."""
        a, (_, *sizes) = node.attributes, self.form(node.inputs[0]).shape
        same: list[list[int]] = [[], []]
        dilations = a.get("dilations", (1, 1))
        for size, kernel, stride, apart in zip(
            sizes, a["kernel_shape"], a["strides"], dilations, strict=True
        ):
            more = max((-(-size // stride) - 1) * stride + (kernel - 1) * apart + 1 - size, 0)
            same[0].append(more // 2)
            same[1].append(more - more // 2)
        if tuple(a["pads"]) == (*same[0], *same[1]):
            return _SAME
        return None if any(a["pads"]) else _VALID

    def window(self, node: Node) -> tuple[int, dict[str, int]]:
        """The input, after an operator that pads it where TensorFlow has no such padding, and the window's options."""
        a, x, padding = node.attributes, self.at[node.inputs[0]], self.padding(node)
        if padding is None:
            top, left, bottom, right = a["pads"]
            form = self.form(node.inputs[0])
            channels, height, width = form.shape
            padded = replace(form, shape=(channels, height + top + bottom, width + left + right))
            widths = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
            whole = self.made(f"{node.name}/padded", padded)
            self.draft.operator("PAD", [x, self.draft.constant(f"{node.name}/pads", widths)], [whole])
            x, padding = whole, _VALID
        height, width = a["strides"]
        return x, {"Padding": padding, "StrideH": height, "StrideW": width}
