"""Quantized files that somebody changed."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_graphs import parse, ramp, samples

from stepforward.errors import StepforwardError
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.file import load_onnx
from stepforward.sources.qdq.dequantized import to_float
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize


@pytest.fixture
def proto():
    model = parse(
        "a = Conv(x, a.weight)\nr = Relu(a)\nm = MaxPool<kernel_shape=[2,2]>(r)\nf = Flatten(m)\n"
        "y = Gemm<transB=1>(f, fc.weight)",
        a__weight=ramp(3, 2, 3, 3),
        fc__weight=ramp(5, 27),
    )
    canonical = canonicalize(model)
    return ir.to_proto(quantize(canonical, samples(canonical)))


def replace(proto, name, array):
    tensor = next(item for item in proto.graph.initializer if item.name == name)
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(array), name))


def node(proto, name):
    return next(item for item in proto.graph.node if item.name == name)


def drop_scale_of_pool(proto):
    replace(proto, "relu.scale", np.float32(0))


def negative_weight_limit(proto):
    replace(proto, "a.weight", np.full((3, 2, 3, 3), -32768, np.int16))


def other_bias_scale(proto):
    replace(proto, "a.bias.scale", np.float32(0.5))


def asymmetric_weight(proto):
    replace(proto, "a.weight.zero_point", np.int16(3))


def pool_in_another_format(proto):
    for name in ("max_pool.q", "max_pool.dq"):
        node(proto, name).input[1] = "x.scale"


def reading_in_another_format(proto):
    node(proto, "relu.dq").input[1] = "x.scale"


def skipped_format(proto):
    node(proto, "max_pool").input[0] = "relu"


def float_weight(proto):
    replace(proto, "a.weight.scale", np.ones((), np.float32))
    node(proto, "a").input[1] = "a.float"
    proto.graph.initializer.append(onnx.numpy_helper.from_array(ramp(3, 2, 3, 3), "a.float"))


def wrong_channels(proto):
    replace(proto, "a.weight", np.ones((3, 1, 3, 3), np.int16))


def missing_zero_point(proto):
    del node(proto, "relu.dq").input[2]


@pytest.mark.parametrize(
    "tamper",
    [
        drop_scale_of_pool,
        negative_weight_limit,
        other_bias_scale,
        asymmetric_weight,
        pool_in_another_format,
        reading_in_another_format,
        skipped_format,
        float_weight,
        wrong_channels,
        missing_zero_point,
    ],
)
def test_changed_files_are_refused(tamper, proto, tmp_path):
    read_quantized(ir.from_proto(proto))
    tamper(proto)
    onnx.save(proto, tmp_path / "a.onnx")
    with pytest.raises(StepforwardError) as caught:
        read_quantized(load_onnx(tmp_path / "a.onnx"))
    assert caught.value.remedy


def test_shapes_claimed_by_the_file_are_not_trusted(proto):
    expected = read_quantized(ir.from_proto(proto)).formats
    weights = {tensor.name for tensor in proto.graph.initializer}
    for info in (item for item in proto.graph.value_info if item.name not in weights):
        for dim in info.type.tensor_type.shape.dim:
            dim.dim_value = 7
    assert read_quantized(ir.from_proto(proto)).formats == expected
    del proto.graph.value_info[:]
    assert read_quantized(ir.from_proto(proto)).formats == expected


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_flipped_bytes_give_a_graph_or_a_clear_error(tmp_path_factory, data):
    content = bytearray(_content())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "quantized.onnx"
    path.write_bytes(content)
    try:
        model = load_onnx(path)
        read_quantized(model)
        to_float(model)
    except StepforwardError as error:
        assert error.what


def _content(cache=[]):  # noqa: B006 - one model for all examples
    if not cache:
        model = parse(
            "a = Conv(x, a.weight)\nr = Relu(a)\nf = Flatten(r)\ny = Gemm<transB=1>(f, fc.weight)",
            a__weight=ramp(2, 2, 3, 3),
            fc__weight=ramp(3, 32),
        )
        canonical = canonicalize(model)
        cache.append(ir.to_proto(quantize(canonical, samples(canonical))).SerializeToString())
    return cache[0]


def test_a_float_model_is_refused():
    model = canonicalize(parse("y = Flatten(x)"))
    for function in (read_quantized, to_float):
        with pytest.raises(StepforwardError, match="not quantized"):
            function(model)
