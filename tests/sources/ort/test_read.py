import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("onnxruntime", reason="needs stepforward[ort]")

from ort_files import float_model, quantized, session, small

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.lowering.weights import network_weights
from stepforward.sources.open import open_source
from stepforward.sources.ort.file import parse
from stepforward.sources.ort.read import read_network


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One network in both forms, with int8 and uint8 activations."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("ort")
    model, x = small(rng, adds=True), rng.normal(size=(8, 3, 12, 12)).astype(np.float32)
    made = {}
    for form in ("QDQ", "QOperator"):
        for activations in ("u8", "s8"):
            path = folder / f"{form}-{activations}.onnx"
            quantized(model, x, path, activations=activations, form=form)
            made[form, activations] = path
    return made


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_a_file_is_a_network_of_its_own_integers(files, form):
    opened = open_source(files[form, "u8"])
    network = opened.network()
    assert [node.op_type for node in network.nodes] == [
        *("Conv", "Conv", "MaxPool", "Conv", "Add"),
        *(["Lookup"] * sum(node.op_type == "Lookup" for node in network.nodes)),
        *("Concat", "Pad", "GlobalAveragePool", "Reshape", "Gemm"),
    ]
    assert (opened.input_shape, opened.outputs, opened.bits, opened.runtime) == (
        (3, 12, 12),
        5,
        "8w8a",
        "ort",
    )
    assert network.runtime == "ort"
    assert lower(network).metadata["runtime"] == "ort"


def test_both_forms_and_both_types_hold_the_same_weights(files):
    weights = [network_weights(lower(open_source(path).network())) for path in files.values()]
    for name, q in weights[0].items():
        if name.endswith("w1_quantized"):
            assert all(np.array_equal(other[name], q) for other in weights[1:])


@pytest.mark.parametrize("kind", [("QDQ", "u8"), ("QOperator", "s8")])
def test_the_way_back_changes_integers_alone(files, kind, tmp_path):
    opened, content = open_source(files[kind]), files[kind].read_bytes()
    given = network_weights(lower(opened.network()))
    opened.with_weights(given).save(tmp_path / "same.onnx")
    assert (tmp_path / "same.onnx").read_bytes() == content
    rng = np.random.default_rng(1)
    drawn = {name: rng.integers(-127, 128, q.shape) for name, q in given.items()}
    changed = opened.with_weights(drawn)
    found = network_weights(lower(changed.network()))
    assert all(np.array_equal(found[name], q) for name, q in drawn.items())
    before, after = onnx.load_from_string(content), onnx.load_from_string(changed.content())
    for one, other in zip(before.graph.initializer, after.graph.initializer, strict=True):
        if one.name not in drawn:
            assert one == other
    del before.graph.initializer[:], after.graph.initializer[:]
    assert before == after
    assert changed.with_weights(given).content() == content


@pytest.mark.parametrize("turned", [False, True])
def test_a_product_by_a_matrix_has_its_inputs_first(tmp_path, turned):
    rng = np.random.default_rng(0)
    constants = {"w": rng.normal(size=(6, 5)).astype(np.float32), "b": rng.normal(size=5).astype(np.float32)}
    nodes = [("Gemm", ["x", "w", "b"], "y", {})] if turned else [("MatMul", ["x", "w"], "y", {})]
    x = rng.normal(size=(20, 6)).astype(np.float32)
    quantized(float_model(nodes, (6,), constants), x, tmp_path / "m.onnx", per_channel=True)
    opened = open_source(tmp_path / "m.onnx")
    (node,) = opened.network().nodes
    assert (node.op_type, node.weight.q.shape) == ("Gemm", (5, 6))
    assert node.bias.frozen is not turned
    drawn = {node.weight.name: rng.integers(-127, 128, (5, 6))}
    assert np.array_equal(opened.with_weights(drawn).network().nodes[0].weight.q, drawn[node.weight.name])


def test_what_is_computed_in_float32_is_said_by_node(files):
    assert "additions are those of ONNX Runtime on x86 (sum)" in open_source(files["QDQ", "u8"]).notes[0]
    assert not any("on x86 computes" in note for note in open_source(files["QDQ", "u8"]).notes)
    assert any("on x86 computes c3" in note for note in open_source(files["QDQ", "s8"]).notes)
    assert not any("on x86 computes" in note for note in open_source(files["QOperator", "s8"]).notes)


def changed(path, change):
    proto = onnx.load(path)
    change(proto)
    return parse(proto.SerializeToString(), "m.onnx")


def put(proto, name, values):
    tensor = next(tensor for tensor in proto.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(values), name))


def array(proto, name):
    return numpy_helper.to_array(next(t for t in proto.graph.initializer if t.name == name))


def replace_operator(name, op_type):
    def change(proto):
        node = next(node for node in proto.graph.node if node.name == name)
        node.op_type = op_type
        del node.attribute[:]

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda p: put(p, "w1_zero_point", np.full(8, 3, np.int8)), "Conv node 'c1': its weight 'w1_quantized' is a"),
        (lambda p: put(p, "w1_quantized", np.full((8, 3, 3, 3), -128, np.int8)), "is empty, or holds -128"),
        (lambda p: put(p, "r1_scale", np.float32(np.inf)), "QuantizeLinear node .*: its scale is inf"),
        (lambda p: put(p, "x_zero_point", np.uint16(3)), "its integers are UINT16"),
        (replace_operator("g", "GlobalLpPool"), "GlobalLpPool node 'g': not supported"),
        (lambda p: put(p, "w1_scale", np.full(7, 0.1, np.float32)), "'w1_quantized' has 7 scales on axis 0"),
        (lambda p: put(p, "b4_quantized_scale", np.full(5, 1.0, np.float32)), "does not have the scale of its input"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_refused_by_node_and_tensor(files, change, why):
    with pytest.raises(StepforwardError, match=why) as raised:
        read_network(changed(files["QDQ", "u8"], change), "m.onnx", "ort")
    assert "supported: Conv, Gemm and MatMul" in raised.value.remedy


def test_dynamic_quantization_is_refused(tmp_path):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    rng = np.random.default_rng(0)
    model = float_model(
        [("MatMul", ["x", "w"], "y", {})], (6,), {"w": rng.normal(size=(6, 5)).astype(np.float32)}
    )
    onnx.save(model, tmp_path / "f.onnx")
    quantize_dynamic(tmp_path / "f.onnx", tmp_path / "m.onnx", weight_type=QuantType.QInt8)
    with pytest.raises(StepforwardError, match="not quantized to 8 bits"):
        open_source(tmp_path / "m.onnx")


def test_weights_outside_the_file_and_control_flow_are_refused(files, tmp_path):
    proto = onnx.load(files["QDQ", "u8"])
    onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    with pytest.raises(StepforwardError, match="in a file of their own"):
        open_source(tmp_path / "m.onnx")
    proto = onnx.load(files["QDQ", "u8"])
    branch = helper.make_graph([], "b", [], [])
    proto.graph.node.append(
        helper.make_node("If", ["f"], ["z"], "choice", then_branch=branch, else_branch=branch)
    )
    with pytest.raises(StepforwardError, match="control flow: If node 'choice'"):
        parse(proto.SerializeToString(), "m.onnx")


def test_a_fixed_batch_is_read(files):
    def fix(proto):
        proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4

    network = read_network(changed(files["QDQ", "u8"], fix), "m", "ort").network
    assert network.formats[network.input].shape == (3, 12, 12)


def test_a_softmax_at_the_end_is_left_out(tmp_path):
    rng = np.random.default_rng(0)
    nodes = [("Gemm", ["x", "w", "b"], "l", {}), ("Softmax", ["l"], "y", {"axis": 1})]
    constants = {"w": rng.normal(size=(6, 5)).astype(np.float32), "b": rng.normal(size=5).astype(np.float32)}
    quantized(
        float_model(nodes, (6,), constants), rng.normal(size=(20, 6)).astype(np.float32), tmp_path / "m.onnx"
    )
    opened = open_source(tmp_path / "m.onnx")
    assert opened.network().output == "l_QuantizeLinear_Output"
    assert "the Softmax at the end is left out" in opened.notes[0]


def test_bytes_of_weights_are_signed_integers_and_128(files, tmp_path):
    def to_bytes(proto):
        put(proto, "w1_quantized", (array(proto, "w1_quantized").astype(np.int64) + 128).astype(np.uint8))
        put(proto, "w1_zero_point", np.full(8, 128, np.uint8))

    (tmp_path / "m.onnx").write_bytes(changed(files["QDQ", "u8"], to_bytes).content)
    opened, same = open_source(tmp_path / "m.onnx"), open_source(files["QDQ", "u8"])
    weight = opened.network().nodes[0].weight
    assert np.array_equal(weight.q, same.network().nodes[0].weight.q)
    other = opened.with_weights({weight.name: -weight.q})
    assert np.array_equal(other.network().nodes[0].weight.q, -weight.q)
    assert array(other.model.proto, "w1_quantized").dtype == np.uint8


def one_layer(path, **how):
    """A fully connected layer as `quantize_static` writes it; returns its bias and the generator that drew it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 6)).astype(np.float32)
    constants = {"w": rng.normal(size=(6, 5)).astype(np.float32), "b": rng.normal(size=5).astype(np.float32)}
    model = float_model([("Gemm", ["x", "w", "b"], "y", {})], (6,), constants)
    quantized(model, x, path, **how)
    return constants["b"], rng


def test_a_bias_in_float32_is_rounded_as_the_runtime_does(tmp_path):
    given, _ = one_layer(tmp_path / "m.onnx", QuantizeBias=False)
    opened = open_source(tmp_path / "m.onnx")
    bias = opened.network().nodes[0].bias
    assert np.allclose(bias.q * np.array(bias.scale), given, atol=max(bias.scale))
    other = opened.with_weights({bias.name: bias.q + 7})
    assert np.array_equal(other.network().nodes[0].bias.q, bias.q + 7)
    assert array(other.model.proto, "b").dtype == np.float32


def test_a_weight_in_float32_that_the_file_quantizes(tmp_path):
    _, rng = one_layer(tmp_path / "m.onnx", AddQDQPairToWeight=True)
    opened = open_source(tmp_path / "m.onnx")
    weight = opened.network().nodes[0].weight
    drawn = rng.integers(-127, 128, weight.q.shape)
    other = opened.with_weights({weight.name: drawn})
    assert np.array_equal(other.network().nodes[0].weight.q, drawn)
    assert array(other.model.proto, "w").dtype == np.float32
    assert (
        other.with_weights({weight.name: weight.q}).network().nodes[0].weight.q.tolist() == weight.q.tolist()
    )


def test_a_bias_of_several_layers_stays(tmp_path):
    def node(*given, **more):
        return helper.make_node(*given, **more)

    values = {"s": np.float32(0.1), "z": np.int8(0), "w": np.ones((2, 2), np.int8), "ws": np.float32(0.5)}
    values |= {"b": np.array([1, -1], np.float32), "t": np.float32(0.3)}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["qr"]),
        node("DequantizeLinear", ["w", "ws", "z"], ["wr"]),
        node("Gemm", ["qr", "wr", "b"], ["a"], "first"),
        node("QuantizeLinear", ["a", "t", "z"], ["aq"]),
        node("DequantizeLinear", ["aq", "t", "z"], ["ar"]),
        node("Gemm", ["ar", "wr", "b"], ["y"], "second"),
        node("QuantizeLinear", ["y", "t", "z"], ["yq"]),
        node("DequantizeLinear", ["yq", "t", "z"], ["yr"]),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2])],
        [helper.make_tensor_value_info("yr", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        tmp_path / "m.onnx",
    )
    opened = open_source(tmp_path / "m.onnx")
    first, second = opened.network().nodes
    assert first.weight is second.weight and not first.weight.frozen
    assert first.bias.frozen and second.bias.frozen
    assert [first.bias.q.tolist(), second.bias.q.tolist()] == [[20, -20], [7, -7]]
    assert "b is the bias of several layers, and stays as it is" in opened.notes


def test_a_file_of_no_use_is_another_reader_s(tmp_path):
    assert parse(b"DequantizeLinear and nothing else", "m") is None
    (tmp_path / "m.onnx").write_bytes(b"\x08QLinearConv\xff\xff")
    with pytest.raises(StepforwardError, match="not a readable ONNX model"):
        open_source(tmp_path / "m.onnx")


def test_a_runtime_of_other_files_is_refused(files):
    with pytest.raises(StepforwardError, match=r"--runtime tflm runs \.tflite files"):
        open_source(files["QDQ", "u8"], runtime="tflm")


def test_an_input_of_bytes(tmp_path):
    scale, zero = numpy_helper.from_array(np.float32(0.1), "s"), numpy_helper.from_array(np.uint8(100), "z")
    w = numpy_helper.from_array(np.arange(-6, 6, dtype=np.int8).reshape(2, 6), "w")
    more = [numpy_helper.from_array(np.float32(0.05), "ws"), numpy_helper.from_array(np.int8(0), "wz")]
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["xr"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wr"]),
        helper.make_node("Gemm", ["xr", "wr"], ["yr"], "fc", transB=1),
        helper.make_node("QuantizeLinear", ["yr", "s", "z"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.UINT8, ["N", 6])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, ["N", 2])], [scale, zero, w, *more],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        tmp_path / "m.onnx",
    )
    opened = open_source(tmp_path / "m.onnx")
    assert (opened.input_shape, opened.outputs) == ((6,), 2)
    assert opened.input_range == pytest.approx((-10.0, 15.5))


@pytest.mark.parametrize("others", [["c1"], ["r1", "g"]])
def test_other_outputs_change_no_integer_of_the_logits(others, tmp_path):
    """ONNX Runtime fuses less where a value in float32 is an output: which nodes that makes inexact is a note."""
    rng = np.random.default_rng(0)
    model = small(rng)
    for name in others:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    x = rng.normal(size=(60, 3, 12, 12)).astype(np.float32)
    file = quantized(model, x[:20], tmp_path / "m.onnx", per_channel=False)
    exposed = onnx.ModelProto.FromString(file.content)
    first = next(
        node for node in exposed.graph.node if node.op_type == "QuantizeLinear" and node.input[0] != "x"
    )
    exposed.graph.output.append(helper.make_tensor_value_info(first.input[0], TensorProto.FLOAT, None))
    for content, inexact in ((file.content, False), (exposed.SerializeToString(), True)):
        found = read_network(parse(content, "m.onnx"), "m.onnx", "ort", output="y")
        program, form = lower(found.network), found.network.formats[found.network.output]
        q = logits_of(CoreEngine(program), quantize_input(program, x))
        expected = session(content).run(["y"], {"x": x})[0]
        assert np.array_equal(expected, (q - form.zero_point).astype(np.float32) * np.float32(form.scale))
        assert any("computes c1 in float32" in note for note in found.notes) == inexact
