"""What ONNX Runtime reads although ONNX's checker does not."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp, run_ort, samples

from stepforward.graph.forward import run
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.file import load_onnx


def network():
    return parse("c = Relu(x)\nf = Flatten(c)\ny = Gemm<transB=1>(f, w, b)", w=ramp(4, 72), b=ramp(4))


def canonical_of(proto, path):
    onnx.save(proto, path)
    canonical, model = canonicalize(load_onnx(path)), network()
    x = samples(model)
    np.testing.assert_allclose(run(canonical.graph, x), run_ort(model, x), rtol=1e-5, atol=1e-6)
    return canonical


@pytest.mark.parametrize("batch", [-1, 0])
def test_a_batch_of_no_size_is_dynamic(batch, tmp_path):
    proto = ir.to_proto(network())
    for value in (proto.graph.input[0], proto.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    canonical = canonical_of(proto, tmp_path / "a.onnx")
    assert not isinstance(canonical.graph.inputs[0].shape[0], int)


@pytest.mark.parametrize("what", ["type", "shape"])
def test_an_output_without_type_or_shape_gets_one(what, tmp_path):
    proto = ir.to_proto(network())
    value = proto.graph.output[0]
    value.ClearField("type") if what == "type" else value.type.tensor_type.ClearField("shape")
    assert canonical_of(proto, tmp_path / "a.onnx").graph.outputs[0].shape.dims[1] == 4


def test_stale_shapes_of_inner_tensors_do_not_matter(tmp_path):
    proto = ir.to_proto(network())
    proto.graph.value_info.append(onnx.helper.make_tensor_value_info("c", onnx.TensorProto.FLOAT, [1, 2, 3]))
    canonical_of(proto, tmp_path / "a.onnx")
