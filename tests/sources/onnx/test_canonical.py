"""The canonical graph of whole networks, and the refusals."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp

from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.file import load_onnx, save_onnx
from stepforward.sources.onnx.support import CANONICAL

torch = pytest.importorskip("torch")
networks = pytest.importorskip("networks")


def logits(name, network, x):
    with torch.no_grad():
        result = network(torch.as_tensor(x)).numpy()
    return np.log(result) if name == "mobilenet" else result


def assert_same_classifier(name, got, expected):
    if name == "mobilenet":  # its softmax was dropped: equal up to one constant per sample
        got, expected = (a - a.mean(axis=1, keepdims=True) for a in (got, expected))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_networks_keep_their_function_and_meet_the_contract(name, exported, tmp_path):
    x = networks.sample(name, 3)
    expected = logits(name, networks.build(name), x)
    model = exported(name)
    canonical = canonicalize(model)
    assert_same_classifier(name, run(canonical.graph, x), expected)

    save_onnx(model, tmp_path / "net.onnx")
    from_file = canonicalize(load_onnx(tmp_path / "net.onnx"))
    assert np.array_equal(run(from_file.graph, x), run(canonical.graph, x))

    graph = canonical.graph
    onnx.checker.check_model(ir.to_proto(canonical), full_check=True)
    assert {node.op_type for node in graph} <= set(CANONICAL)
    values = [*graph.inputs, *(node.outputs[0] for node in graph)]
    assert all(isinstance(dim, int) for value in values for dim in value.shape.dims[1:])
    names = [value.name for value in values] + list(graph.initializers)
    assert len(set(names)) == len(names) and len({node.name for node in graph}) == len(graph)
    state = networks.build(name).state_dict()
    layers = [node for node in graph if node.op_type in ("Conv", "Gemm")]
    assert all(node.inputs[1].name in state for node in layers)
    assert all(node.inputs[2].name == f"{node.name}.bias" for node in layers)
    assert canonicalize(canonical).graph[0].name == graph[0].name


def test_the_argument_is_not_changed(exported):
    model = exported("lenet5")
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    canonicalize(model)
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("c = Hardmax(x)\ng = GlobalAveragePool(c)\ny = Flatten(g)", "Hardmax node 'c' is not supported"),
        ("c = LRN<size=3>(x)\ny = Flatten(c)", "LRN node .* is not supported"),
        ("y = Relu(x)", r"not \(N, classes\)"),
        ("y = Identity(x)", "is its input"),
        ("y = Identity(w)", "does not depend on its input"),
        ("f = Reshape(x, s)\ny = Flatten(f)", "mixes the batch"),
        ("f = Reshape(x, u)\ny = Flatten(f)", "changes the number of elements"),
        ("y = MatMul(x, m)", r"not \(N, classes\)"),
        ("f = Flatten(x)\nt = Transpose(f)\ny = MatMul(f, t)", "mixes the samples of a batch"),
        ("c = Conv(x, w3)\ny = Flatten(c)", "do not fit its 2 input channels"),
    ],
)
def test_what_cannot_run_is_refused_by_name(body, message):
    model = parse(
        body,
        w=ramp(1, 12, 2),
        m=ramp(6, 6),
        s=np.array([-1, 2, 2, 2]),
        u=np.array([0, 2, 6, 5]),
        w3=ramp(4, 3, 3, 3),
    )
    with pytest.raises(StepforwardError, match=message) as caught:
        canonicalize(model)
    assert caught.value.remedy
