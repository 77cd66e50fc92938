"""Int8 ONNX files as ONNX Runtime's quantizer writes them, against ONNX Runtime.

The networks of MLPerf Tiny (weights of their int8 files, as the numbers they stand for) and ResNet-20 go through
`quantize_static` with 100 real samples. First, integers that differ, over every layer, on other real samples; then
files adapted on 200 samples, and what ONNX Runtime makes of the file that is returned.

    python benchmarks/int8_onnx.py [--samples 200] [--parts layers adapt] [--networks keywords ...]
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from common import DATA, RESULTS, ROOT, percent, table, write
from int8_data import FILES, real_samples, shifted
from onnx import TensorProto, helper, numpy_helper

import stepforward as sf
from stepforward.sources.open import open_source
from stepforward.sources.ort.file import parse

sys.path.insert(0, str(ROOT / "tests" / "support"))
from ort_files import different, quantized, session  # what the tests compare with

RESNET20 = "images (ResNet-20)"
KINDS = {
    "QDQ, uint8": {"activations": "u8", "form": "QDQ"},
    "QDQ, int8": {"activations": "s8", "form": "QDQ"},
    "QLinear, uint8": {"activations": "u8", "form": "QOperator"},
}
MEAN, STD = (np.array(v, np.float32) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
CALIBRATED = 100


def float_file(network):
    """A float ONNX model of a network in fixed point: the same operators on the numbers that integers stand for."""
    nodes, constants = [], []

    def constant(name, values):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(op_type, inputs, output, **attributes):
        nodes.append(helper.make_node(op_type, inputs, [output], output.replace("/", "."), **attributes))

    for node in network.nodes:
        low, high = node.clip
        made = node.output if node.clip == (None, None) else f"{node.output}:before"
        a, inputs = node.attributes, list(node.inputs)
        if node.weight is not None:
            scale = np.array(node.weight.scale, np.float32).reshape(-1, *(1,) * (node.weight.q.ndim - 1))
            inputs.append(constant(f"{node.name}.weight", node.weight.q.astype(np.float32) * scale))
            real = node.bias.q * np.array(node.bias.scale, np.float32)
            inputs.append(constant(f"{node.name}.bias", real.astype(np.float32)))
        if node.op_type == "Conv":
            keys = ("kernel_shape", "strides", "pads", "dilations", "group")
            add("Conv", inputs, made, **{key: a[key] for key in keys})
        elif node.op_type == "Gemm":
            add("Gemm", inputs, made, transB=1)
        elif node.op_type == "Reshape":
            shape = network.formats[node.output].shape
            if len(network.formats[inputs[0]].shape) == 3 and a.get("channels_last"):
                add("Transpose", inputs, f"{made}:turned", perm=[0, 2, 3, 1])
                inputs = [f"{made}:turned"]
            if len(shape) == 3 and a.get("channels_last"):
                c, h, w = shape
                add("Reshape", [*inputs, constant(f"{made}:shape", np.array([-1, h, w, c]))], f"{made}:last")
                add("Transpose", [f"{made}:last"], made, perm=[0, 3, 1, 2])
            else:
                add("Reshape", [*inputs, constant(f"{made}:shape", np.array([-1, *shape]))], made)
        elif node.op_type in ("AveragePool", "MaxPool"):
            add(node.op_type, inputs, made, **{k: a[k] for k in ("kernel_shape", "strides", "pads")})
        else:
            add(node.op_type, inputs, made)
        if low is not None and high is None:
            add("Relu", [made], node.output)
        elif node.clip != (None, None):
            bounds = [constant(f"{node.output}:{i}", np.float32(v)) for i, v in enumerate((low, high))]
            add("Clip", [made, *bounds], node.output)
    shapes = [network.formats[name].shape for name in (network.input, network.output)]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
        for name, shape in zip((network.input, network.output), shapes, strict=True)
    ]
    graph = helper.make_graph(nodes, "float", values[:1], values[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def float_model(name):
    if name == RESNET20:
        import torch
        from learning.tasks.resnets import resnet20

        model = sf.from_torch(resnet20(), torch.zeros(1, 3, 32, 32))
        return ir.to_proto(open_source(model).model)
    path = DATA / "pretrained" / "mlperf_tiny" / f"{FILES[name]}.tflite"
    return float_file(open_source(path).network())


def prepared(name, x):
    """Samples as the float model reads them."""
    if name == RESNET20:
        x = (x / 255 - MEAN) / STD
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x).astype(np.float32)


def samples(name, count):
    """Real samples; sounds of speech, stretched to the input's range, stand in for machines and for the wake word."""
    if name == RESNET20:
        with np.load(DATA / "cifar10" / "test.npz") as file:
            return prepared(name, file["images"][:count].astype(np.float32))
    path = DATA / "pretrained" / "mlperf_tiny" / f"{FILES[name]}.tflite"
    opened = open_source(path)
    x = real_samples(name, opened.input_shape, count)
    if name.startswith(("machine", "wake")):
        low, high = opened.input_range
        x = low + (x - x.min()) / (x.max() - x.min()) * (high - low)
    return prepared(name, x)


def layer_rows(name, count, folder):
    x = samples(name, CALIBRATED + count)
    for kind, options in KINDS.items():
        file = quantized(float_model(name), x[:CALIBRATED], folder / "m.onnx", **options)
        found = different(file, x[CALIBRATED:], options["activations"])
        sums = [node.op_type for node in file.proto.graph.node].count("Add")
        yield {
            "network": name,
            "kind": kind,
            "samples": count,
            "layers": len(found),
            "sums": sums + [node.op_type for node in file.proto.graph.node].count("QLinearAdd"),
            "integers": sum(size for _, size in found.values()),
            "differ": sum(wrong for wrong, _ in found.values()),
        }


def adapt_row(name, folder):
    """Accuracy before and after, and how often ONNX Runtime's answers to the returned file are right."""
    data, (x, y) = shifted("images" if name == RESNET20 else name)
    data, x = (prepared(name, data[0]), data[1]), prepared(name, x)
    clean = samples(name, CALIBRATED)
    quantized(float_model(name), clean, folder / "m.onnx")
    result = sf.adapt(folder / "m.onnx", data, test=(x, y), out=folder / "run", train="head", progress=False)
    content = (folder / "run" / "adapted.onnx").read_bytes()
    opened = session(content)
    (logits,) = opened.run(None, {opened.get_inputs()[0].name: x})
    before, after = (onnx.load_from_string(c) for c in ((folder / "m.onnx").read_bytes(), content))
    same = [a == b for a, b in zip(before.graph.initializer, after.graph.initializer, strict=True)]
    assert parse(content, "adapted") is not None
    return {
        "network": name,
        "test_samples": len(y),
        "zero_shot": result.zero_shot_accuracy,
        "adapted": result.adapted_accuracy,
        "right": round(result.adapted_accuracy * len(y)),
        "right_in_the_runtime": int((logits.argmax(1) == y).sum()),
        "tensors_changed": same.count(False),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--parts", nargs="+", default=["layers", "adapt"], choices=["layers", "adapt"])
    names = [*FILES, RESNET20]
    parser.add_argument("--networks", nargs="+", default=names)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    path = RESULTS / "int8_onnx.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    layers = {(row["network"], row["kind"]): row for row in kept.get("layers", [])}
    adapted = {row["network"]: row for row in kept.get("adapt", [])}
    for name in (name for name in names if any(name.startswith(one) for one in given.networks)):
        with tempfile.TemporaryDirectory() as folder:
            for row in layer_rows(name, given.samples, Path(folder)) if "layers" in given.parts else ():
                layers[name, row["kind"]] = row
                print(row, flush=True)
        if "adapt" in given.parts and not name.startswith(("machine", "wake")):
            with tempfile.TemporaryDirectory() as folder:
                adapted[name] = adapt_row(name, Path(folder))
                print(adapted[name], flush=True)
        write("int8_onnx", {"layers": list(layers.values()), "adapt": list(adapted.values())})
    print(
        table(
            list(layers.values()), {k: k for k in ("network", "kind", "layers", "sums", "integers", "differ")}
        )
    )
    rows = [
        row | {"zero_shot": percent(row["zero_shot"]), "adapted": percent(row["adapted"])}
        for row in adapted.values()
    ]
    print(table(rows, {k: k for k in ("network", "zero_shot", "adapted", "right", "right_in_the_runtime")}))


if __name__ == "__main__":
    main()
