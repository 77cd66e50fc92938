import numpy as np
import pytest
from small import CLASSES, samples, small_network, small_program

from stepforward.arithmetic.fixedpoint import quantize_multiplier, requantize
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import _Lowering, _stored, lower
from stepforward.lowering.weights import network_weights
from stepforward.network.network import Format, Network, Node
from stepforward.program.layout import STORED_OF, stored_shape
from stepforward.program.weights import unpack_all


def real_forward(graph: Network, x: np.ndarray) -> np.ndarray:
    """The graph in float64 and ONNX layout, without rounding between the layers."""
    values = {graph.input: graph.formats[graph.input].scale * (x - graph.formats[graph.input].zero_point)}
    for node in graph.nodes:
        inputs = [values[name] for name in node.inputs]
        if node.weight is not None:
            scale = np.array(node.weight.scale).reshape(-1, *[1] * (node.weight.q.ndim - 1))
            w, b = node.weight.q * scale, node.bias.q * np.array(node.bias.scale)
        if node.op_type == "Conv":
            y = _conv(inputs[0], w, b, node.attributes)
        elif node.op_type == "Gemm":
            y = inputs[0] @ w.T + b
        elif node.op_type == "Add":
            y = inputs[0] + inputs[1]
        elif node.op_type == "MaxPool":
            n, c, h, width = inputs[0].shape
            y = (
                inputs[0][:, :, : h // 2 * 2, : width // 2 * 2]
                .reshape(n, c, h // 2, 2, width // 2, 2)
                .max((3, 5))
            )
        else:
            y = inputs[0].reshape(len(x), -1)
        values[node.output] = np.clip(
            y,
            *(
                bound if bound is not None else s
                for bound, s in zip(node.clip, (-np.inf, np.inf), strict=True)
            ),
        )
    return values[graph.output]


def _conv(x, w, b, a):
    top, left, bottom, right = a["pads"]
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    k, s, g = a["kernel_shape"][0], a["strides"][0], a["group"]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))[:, :, ::s, ::s]
    n, c = x.shape[:2]
    grouped = windows.reshape(n, g, c // g, *windows.shape[2:])
    y = np.einsum("ngchwij,gocij->ngohw", grouped, w.reshape(g, -1, c // g, k, k))
    return y.reshape(n, -1, *y.shape[3:]) + b[:, None, None]


@pytest.mark.parametrize("per_channel", [False, True])
def test_the_program_computes_what_the_graph_means(per_channel):
    """Integers may differ from the unrounded float network only by the rounding of the activations."""
    graph, program = small_network(per_channel=per_channel), small_program(per_channel=per_channel)
    x, _ = samples(program, 5)
    logits = logits_of(ReferenceEngine(program), x) * graph.formats["y"].scale
    real = real_forward(graph, x.transpose(0, 3, 1, 2).astype(np.float64))
    limit = 32767 * graph.formats["y"].scale
    assert logits.shape == (5, CLASSES)
    assert np.abs(logits - np.clip(real, -limit, limit)).max() < 0.35
    assert np.abs(real).max() > 1


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
def test_weights_go_back_to_the_layout_they_came_from(dtype):
    graph, program = small_network(dtype, True), small_program(dtype, True)
    back = network_weights(program)
    for node in graph.nodes:
        for parameter in (node.weight, node.bias):
            if parameter is not None:
                assert (back[parameter.name] == parameter.q).all()


def test_every_parameter_is_named_in_the_order_of_the_layers():
    names = [t.name for t in small_program().parameters]
    assert names == [
        f"{layer}.{p}" for layer in ("stem", "depthwise", "point", "head") for p in ("weight", "bias")
    ]
    assert len(unpack_all(small_program())) == 8


def test_a_flatten_that_moves_nothing_costs_no_operator():
    kinds = [op.kind for op in small_program().ops]
    assert kinds == ["conv", "depthwise", "add", "max_pool", "conv", "transpose", "fully_connected"]


def test_a_ratio_outside_the_arithmetic_names_the_node():
    graph = small_network()
    formats = {**graph.formats, "c": Format(1e-9, 0, "s8", graph.formats["c"].shape)}
    with pytest.raises(StepforwardError, match=r"node join \(Add\)"):
        lower(Network("x", "y", graph.nodes, "small", formats))


def test_an_unknown_operator_is_named():
    node = Node("Einsum", "odd", ("x",), "y", {})
    formats = {"x": Format(1.0, 0, "s8", (1, 2, 2)), "y": Format(1.0, 0, "s8", (4,))}
    with pytest.raises(StepforwardError, match="odd has unsupported operator Einsum"):
        lower(Network("x", "y", (node,), "odd", formats))


@pytest.mark.parametrize("count", [16, 17, 31, 32, 48])
@pytest.mark.parametrize("axis", [1, 3])
def test_a_concat_of_many_is_one_in_steps(count, axis):
    """Joining by sixteens gives the integers that one join of all inputs would."""
    shapes = [(1 + i % 3, 2, 3) if axis == 1 else (3, 2, 1 + i % 3) for i in range(count)]
    whole = list(shapes[0])
    whole[axis - 1] = sum(shape[axis - 1] for shape in shapes)
    scales = [0.01 * (1 + i % 5) for i in range(count)]
    formats = {f"x{i}": Format(scales[i], i % 3, "s8", shapes[i]) for i in range(count)}
    formats["y"] = Format(0.03, -5, "s8", tuple(whole))
    lowering = _Lowering(Network("x0", "y", (), "many", formats))
    names = [f"x{i}" for i in range(count)]
    for name in names:
        lowering.laid[name] = [_stored(lowering.activation(name, formats[name]), formats[name])]
    lowering.node(Node("Concat", "join", tuple(names), "y", {"axis": axis}))
    assert all(len(op.inputs) <= 16 for op in lowering.ops)

    rng = np.random.default_rng(0)
    values = {
        lowering.read(name): rng.integers(-128, 128, (2, *stored_shape(formats[name].shape)))
        for name in names
    }
    parts = [
        requantize(
            values[i] - formats[f"x{i}"].zero_point, *quantize_multiplier(scales[i] / 0.03), -5, -128, 127
        )
        for i in range(count)
    ]
    for op in lowering.ops:
        tensors = [lowering.activations[number] for number in op.inputs]
        inputs = [values[number] for number in op.inputs]
        values[op.output] = op.what.run(inputs, tensors, lowering.activations[op.output])
    assert np.array_equal(values[lowering.read("y")], np.concatenate(parts, axis=STORED_OF[3][axis - 1] + 1))
