"""A tiny task for the commands: 8x8 images of horizontal stripes, vertical stripes and squares."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from PIL import Image

NAMES = ["horizontal", "vertical", "squares"]
PREPROCESSING = {"kind": "image", "height": 8, "width": 8, "channels": 1, "mean": [0.5], "std": [0.25]}


def image(label: int, variant: int) -> np.ndarray:
    """uint8 (8, 8): one of three patterns, shifted and dimmed by the variant."""
    rows, columns = np.mgrid[0:8, 0:8]
    patterns = (rows // 2 % 2, columns // 2 % 2, (rows // 2 + columns // 2) % 2)
    shifted = np.roll(patterns[label], (variant % 4, variant // 4 % 4), (0, 1))
    return (40 + shifted * (120 + 10 * (variant % 7))).astype(np.uint8)


def write_folder(folder: Path, variants: range, names: list[str] | None = None) -> Path:
    """One sub-folder of PNG files per class."""
    for label, name in enumerate(names or NAMES):
        (folder / name).mkdir(parents=True)
        for variant in variants:
            Image.fromarray(image(label, variant)).save(folder / name / f"{variant:02}.png")
    return folder


def arrays(variants: range) -> dict[str, np.ndarray]:
    """x float32 (n, 1, 8, 8) as the network reads it, y int64."""
    samples = [(image(label, v), label) for label in range(3) for v in variants]
    x = np.stack([(p[None] / 255 - 0.5) / 0.25 for p, _ in samples]).astype(np.float32)
    return {"x": x, "y": np.array([label for _, label in samples])}


def network(opset: int = 21, preprocessing: dict | None = PREPROCESSING, **changes) -> onnx.ModelProto:
    """Conv 3x3 (1 to 4), Relu, max pool, Flatten, Gemm to 3, with fixed weights; `changes` replace initialisers."""
    wave = np.sin(np.arange(300) * 1.7).astype(np.float32)
    weights = {
        "conv.weight": 0.3 * wave[:36].reshape(4, 1, 3, 3),
        "conv.bias": np.zeros(4, np.float32),
        "head.weight": 0.2 * wave[40:232].reshape(3, 64),
        "head.bias": np.zeros(3, np.float32),
        **changes,
    }
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["a"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("MaxPool", ["b"], ["c"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["c"], ["d"], "flatten"),
        helper.make_node("Gemm", ["d", "head.weight", "head.bias"], ["logits"], "head", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "stripes",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    entries = {"stepforward.class_names": NAMES, "stepforward.preprocessing": preprocessing}
    helper.set_model_props(model, {key: json.dumps(value) for key, value in entries.items() if value})
    return model
