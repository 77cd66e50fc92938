import numpy as np
from onnx_graphs import parse, ramp, samples

from stepforward.graph.forward import rerun, run, values_of
from stepforward.quantization.choose import choose
from stepforward.quantization.formats import QuantizationSettings
from stepforward.quantization.sensitivity import alone, as_stored, tensors
from stepforward.sources.onnx.canonical import canonicalize

BODY = """
    a = Conv<pads=[1,1,1,1]>(x, w1, b1)  r = Relu(a)  m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)
    f = Flatten(m)  y = Gemm<transB=1>(f, w, b)
"""


def chosen():
    model = canonicalize(parse(BODY, w1=ramp(2, 2, 3, 3), b1=ramp(2), w=ramp(3, 18), b=ramp(3)))
    x = samples(model, 40)
    return model.graph, x, choose(model.graph, x, QuantizationSettings.parse("8w8a"))


def test_every_tensor_that_is_rounded_appears_once():
    graph, _, (activations, parameters, _) = chosen()
    found = [(t.name, t.kind, t.bits) for t in tensors(graph, activations, parameters)]
    assert found == [
        ("x", "activation", 8),
        ("w1", "weights", 8),
        ("relu", "activation", 8),  # the pool after it and the flattening round nothing
        ("w", "weights", 8),
        ("y", "activation", 16),
    ]


def test_one_tensor_alone_is_the_network_with_that_tensor_rounded():
    graph, x, (activations, parameters, _) = chosen()
    wanted, told = tensors(graph, activations, parameters), []
    logits, rounded = alone(graph, x, wanted, activations, parameters, lambda *done: told.append(done))
    assert np.array_equal(logits, run(graph, x))
    assert np.array_equal(rounded["x"], run(graph, as_stored(x, activations["x"])))
    assert all(not np.array_equal(found, logits) for found in rounded.values())
    assert told[-1] == (40 * 5, 40 * 5) and told == sorted(told)


def test_running_again_changes_what_depends_on_the_change_alone():
    graph, x, _ = chosen()
    values = values_of(graph, x)
    assert np.array_equal(rerun(graph, values, {}), values["y"])
    assert np.array_equal(rerun(graph, values, {"x": x[::-1]}), values["y"][::-1])
    assert np.array_equal(rerun(graph, values, {"relu": values["relu"]}), values["y"])


def test_stored_values_are_clipped_to_their_type():
    _, _, (activations, _, _) = chosen()
    point = activations["x"]
    stored = as_stored(np.float32([-1e9, 1e9]), point)
    assert (stored / point.scale + point.zero_point).round().tolist() == [-128, 127]
