"""MCUNet's int8 networks from their arrays: as TensorFlow Lite files, and evaluated integer by integer in NumPy.

The evaluation knows the arrays and the formulas of TensorFlow's int8 kernels, and nothing of stepforward. Sums are 64
bits there, and biases as they were found.
"""

import json
from typing import Any, NamedTuple

import numpy as np
from common import DATA
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stepforward.bench.tflite_draft import Draft

NAMES = {
    "MobileNetV2 w0.35": "mbv2-w0.35",
    "MCUNet-5fps": "mcunet-5fps",
    "ProxylessNAS w0.3": "proxyless-w0.3",
}
SIDE = 128

_SAME, _VALID = 0, 1
_MEAN, _LOGITS = "mean", "logits"


class Steps(NamedTuple):
    """real = scale * (q - zero); the scale is a float32, as files hold it."""

    scale: float
    zero: int


class Layer(NamedTuple):
    """One convolution (weights (O, I / groups, K, K)), or a sum, which has no weight; `inputs` are names of tensors."""

    name: str
    inputs: tuple[str, ...]
    x: tuple[Steps, ...]
    y: Steps
    stride: int = 1
    depthwise: bool = False
    weight: NDArray[np.int8] | None = None
    bias: NDArray[np.int32] | None = None
    scales: NDArray[np.float32] | None = None


def layers(name: str) -> list[Layer]:
    """The layers of a network in order; the last one reads the mean over all positions."""
    folder = DATA / "pretrained" / "mcunet"
    whole = json.loads((folder / f"{name}.json").read_text())
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        arrays = dict(file)
    found = [_convolution(whole["first_conv"], "first", "image", arrays)]
    for number, block in enumerate(whole["blocks"]):
        before = found[-1]
        for part in ("pointwise1", "depthwise", "pointwise2"):
            if block[part]:
                found.append(_convolution(block[part], f"{number}.{part}", found[-1].name, arrays))
        if block["residual"]:
            p = block["residual"]["params"]
            inputs = (before.name, found[-1].name)
            y = Steps(float(np.float32(p["y_scale"])), p["y_zero"])
            found.append(Layer(f"{number}.sum", inputs, (before.y, found[-1].y), y))
    return [*found, _convolution(whole["classifier"], _LOGITS, _MEAN, arrays)]


def _convolution(part: dict[str, Any], name: str, x: str, arrays: dict[str, NDArray[Any]]) -> Layer:
    p = part["params"]
    weight, bias, scales = (arrays[p[key]["array"]] for key in ("weight", "bias", "w_scales"))
    steps = [Steps(float(np.float32(p[f"{side}_scale"])), p[f"{side}_zero"]) for side in "xy"]
    return Layer(
        name, (x,), (steps[0],), steps[1], part["stride"], bool(part.get("depthwise")), weight, bias, scales
    )


def tflite(name: str) -> bytes:
    """The network as a TensorFlow Lite file: padding of (k - 1) / 2 is a PAD where TensorFlow has no such padding."""
    draft, found = Draft(), layers(name)
    at = {"image": draft.activation("image", (1, SIDE, SIDE, 3), *found[0].x[0])}
    sides = {"image": SIDE}
    for layer in found[:-1]:
        side = sides[layer.inputs[0]]
        if layer.weight is None:
            channels = draft.tensors[at[layer.inputs[0]]][1][3]
            at[layer.name] = draft.activation(layer.name, (1, side, side, channels), *layer.y)
            draft.operator("ADD", [at[one] for one in layer.inputs], [at[layer.name]])
        else:
            at[layer.name] = _window(draft, layer, at[layer.inputs[0]], side)
        sides[layer.name] = side // layer.stride
    before, last = found[-2], found[-1]
    assert last.weight is not None and before.y == last.x[0]
    side, inputs = sides[before.name], last.weight.shape[1]
    mean = draft.activation(_MEAN, (1, 1, 1, inputs), *before.y)
    window = {"FilterHeight": side, "FilterWidth": side, "StrideH": side, "StrideW": side}
    draft.operator("AVERAGE_POOL_2D", [at[before.name]], [mean], Padding=_VALID, **window)
    flat = draft.activation("features", (1, inputs), *before.y)
    draft.operator("RESHAPE", [mean, draft.constant("shape", np.array([1, inputs], np.int32))], [flat])
    logits = draft.activation(_LOGITS, (1, len(last.weight)), *last.y)
    draft.operator("FULLY_CONNECTED", [flat, *_constants(draft, last, last.weight[:, :, 0, 0], 0)], [logits])
    return draft.content([at["image"]], [logits])


def _constants(draft: Draft, layer: Layer, weight: NDArray[np.int8], axis: int) -> list[int]:
    assert layer.scales is not None and layer.bias is not None and layer.weight is not None
    most = 255 * np.abs(layer.weight.astype(np.int64)).sum((1, 2, 3))
    room = (
        2**31 - 1 - most
    )  # some channels that are never on have biases of 2^31, over which sums of 32 bits wrap
    bias = np.clip(layer.bias, -room, room).astype(np.int32)
    return [
        draft.constant(f"{layer.name}/weight", weight, layer.scales, axis=axis),
        draft.constant(f"{layer.name}/bias", bias, np.float32(layer.x[0].scale) * layer.scales),
    ]


def _window(draft: Draft, layer: Layer, x: int, side: int) -> int:
    assert layer.weight is not None
    channels, kernel = len(layer.weight), layer.weight.shape[-1]
    y = draft.activation(layer.name, (1, side // layer.stride, side // layer.stride, channels), *layer.y)
    options = {"Padding": _SAME, "StrideH": layer.stride, "StrideW": layer.stride}
    options |= {"DilationHFactor": 1, "DilationWFactor": 1}
    if layer.stride > 1:
        wide, inputs = kernel // 2, draft.tensors[x][1][3]
        shape = (1, side + 2 * wide, side + 2 * wide, inputs)
        padded = draft.activation(f"{layer.name}/padded", shape, *layer.x[0])
        ends = np.array([[0, 0], [wide, wide], [wide, wide], [0, 0]], np.int32)
        draft.operator("PAD", [x, draft.constant(f"{layer.name}/pads", ends)], [padded])
        x, options["Padding"] = padded, _VALID
    if layer.depthwise:
        rows = layer.weight[:, 0].transpose(1, 2, 0)[None]
        draft.operator(
            "DEPTHWISE_CONV_2D", [x, *_constants(draft, layer, rows, 3)], [y], DepthMultiplier=1, **options
        )
    else:
        rows = layer.weight.transpose(0, 2, 3, 1)
        draft.operator("CONV_2D", [x, *_constants(draft, layer, rows, 0)], [y], **options)
    return y


# the evaluation


def evaluated(name: str, x: NDArray[np.int8]) -> dict[str, NDArray[np.int64]]:
    """Integers of every layer, and of the mean, by name: x (n, side, side, 3), layers (n, height, width, channels)."""
    at: dict[str, NDArray[np.int64]] = {"image": x.astype(np.int64)}
    found = layers(name)
    for layer in found:
        if layer.inputs == (_MEAN,):
            at[_MEAN] = _mean(at[found[-2].name])
        q = _sum(layer, at) if layer.weight is None else _convolved(layer, at[layer.inputs[0]])
        at[layer.name] = np.clip(q + layer.y.zero, -128, 127)
    del at["image"]
    return at


def _convolved(layer: Layer, x: NDArray[np.int64]) -> NDArray[np.int64]:
    assert layer.weight is not None and layer.bias is not None and layer.scales is not None
    wide = layer.weight.shape[-1] // 2
    padded = np.pad(x - layer.x[0].zero, ((0, 0), (wide, wide), (wide, wide), (0, 0)))
    windows = sliding_window_view(padded, layer.weight.shape[2:], (1, 2))[:, :: layer.stride, :: layer.stride]
    sums = layer.bias + (  # einsum of doubles: sums of products stay far below 2^53, so they are exact
        np.einsum("nhwcij,cij->nhwc", windows.astype(float), layer.weight[:, 0].astype(float), optimize=True)
        if layer.depthwise
        else np.einsum("nhwcij,ocij->nhwo", windows.astype(float), layer.weight.astype(float), optimize=True)
    ).astype(np.int64)
    ratios = layer.x[0].scale * layer.scales.astype(np.float64) / layer.y.scale
    pairs = np.array([_pair(ratio) for ratio in ratios])
    return _scaled(sums, pairs[:, 0], pairs[:, 1])


def _sum(layer: Layer, at: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    twice = 2 * max(steps.scale for steps in layer.x)
    total = sum(
        _scaled((at[one] - steps.zero) << 20, *_pair(steps.scale / twice))
        for one, steps in zip(layer.inputs, layer.x, strict=True)
    )
    return _scaled(np.asarray(total), *_pair(twice / ((1 << 20) * layer.y.scale)))


def _mean(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Over all positions, rounded half away from zero, in the steps of x."""
    sums, count = x.sum((1, 2), keepdims=True), x.shape[1] * x.shape[2]
    return np.sign(sums) * ((np.abs(sums) + count // 2) // count)


def _pair(ratio: float) -> tuple[int, int]:
    """ratio = m * 2^(e - 31), m of 31 bits."""
    fraction, exponent = np.frexp(ratio)
    m = int(np.floor(float(fraction) * 2**31 + 0.5))
    return (m // 2, int(exponent) + 1) if m == 1 << 31 else (m, int(exponent))


def _scaled(q: NDArray[np.int64], m: Any, e: Any) -> NDArray[np.int64]:
    """gemmlowp's two roundings: a doubled high product, half away from zero, then a shift, half away from zero."""
    product = (q << np.maximum(e, 0)) * m
    high = (product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))) // 2**31
    high = np.where((product < 0) & ((product + 1 - (1 << 30)) % 2**31 != 0), high + 1, high)  # towards zero
    right = np.maximum(-np.asarray(e), 0)
    mask = (1 << right) - 1
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
