"""Small ONNX graphs written as text, and what every pass must keep: the function they compute."""

import re

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

from stepforward.graph.forward import run
from stepforward.sources.onnx.canonical import canonicalize


def parse(body, input_shape="N,2,6,6", output_shape="N,M", opset=21, outputs="", **weights):
    """A model with input x (float, `input_shape`), an output y and the given arrays as initialisers.

    Args:
        outputs: others in front of y, as ONNX text has them: "float[N,5] embedding, ".
    """
    # ONNX text knows no dots in names; state_dict names have them.
    body = re.sub(r"[A-Za-z_]\w*(\.[A-Za-z]\w*)+", lambda name: name[0].replace(".", "__"), body)
    header = f'<ir_version: 10, opset_import: ["": {opset}]>'
    text = f"{header}\nnet (float[{input_shape}] x) => ({outputs}float[{output_shape}] y) {{\n{body}\n}}"
    proto = onnx.parser.parse_model(text)
    for node in proto.graph.node:
        node.input[:] = [name.replace("__", ".") for name in node.input]
    for name, array in weights.items():
        proto.graph.initializer.append(
            onnx.numpy_helper.from_array(np.asarray(array), name.replace("__", "."))
        )
    return ir.from_proto(proto)


def ramp(*shape, scale=0.1):
    """Deterministic values of both signs."""
    size = int(np.prod(shape))
    return (np.cos(np.arange(size) * 1.7) * scale).astype(np.float32).reshape(shape)


def samples(model, count=3):
    dims = model.graph.inputs[0].shape.dims
    count = dims[0] if isinstance(dims[0], int) else count
    return ramp(count, *dims[1:], scale=2.0)


def session(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), options)


def run_ort(model, x):
    return session(model).run(None, {model.graph.inputs[0].name: x})[0]


def canonical_like(model, kinds):
    """Canonicalize, hold the result to the original's function and to the given operators; return it."""
    x = samples(model)
    expected = run_ort(model, x)
    canonical = canonicalize(model)
    onnx.checker.check_model(ir.to_proto(canonical), full_check=True)
    assert [node.op_type for node in canonical.graph] == kinds.split()
    result = run(canonical.graph, x)
    np.testing.assert_allclose(result, expected.reshape(result.shape), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(run_ort(canonical, x), result, rtol=1e-5, atol=1e-5)
    return canonical


def parameters(model):
    return {
        value.name: value.const_value.numpy()
        for node in model.graph
        if node.op_type in ("Conv", "Gemm")
        for value in node.inputs[1:]
    }
