import numpy as np
import pytest

torch = pytest.importorskip("torch")

import networks  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from onnx_graphs import parse, ramp, run_ort, samples  # noqa: E402

from stepforward.digits.clips import model_path  # noqa: E402
from stepforward.engines.protocol import Batch, logits_of  # noqa: E402
from stepforward.engines.torch import TorchEngine  # noqa: E402
from stepforward.errors import StepforwardError  # noqa: E402
from stepforward.quantization.formats import QuantizationSettings  # noqa: E402
from stepforward.sources.onnx.canonical import canonicalize  # noqa: E402
from stepforward.sources.onnx.file import load_onnx  # noqa: E402
from stepforward.sources.qdq.dequantized import to_float  # noqa: E402
from stepforward.sources.qdq.write import quantize  # noqa: E402


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_logits_are_those_of_the_module(exported, monkeypatch, name):
    monkeypatch.setattr("stepforward.engines.torch.BLOCK", 2)
    x = networks.sample(name, 3)
    with torch.no_grad():
        expected = networks.build(name)(torch.from_numpy(x)).numpy()
    engine = TorchEngine(canonicalize(exported(name)), ())
    logits = logits_of(engine, x)
    assert logits.dtype == np.float32
    if name == "mobilenet":  # its softmax is dropped
        logits = torch.softmax(torch.from_numpy(logits), 1).numpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


OPERATORS = {
    "max pool": "z = MaxPool<kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1]>(x)",
    "average pool": "z = AveragePool<kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 1]>(x)",
    "average pool, padding counted": (
        "z = AveragePool<kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 1], count_include_pad=1>(x)"
    ),
    "clip": "lo = Constant<value_float=-0.5>() hi = Constant<value_float=0.7>() z = Clip(x, lo, hi)",
    "clip from below": "lo = Constant<value_float=-0.5>() z = Clip(x, lo)",
    "pad": "p = Constant<value_ints=[0, 1, 0, 2, 0, 0, 1, 3]>() v = Constant<value_float=0.25>() z = Pad(x, p, v)",
    "concat of channels": "a = Relu(x) b = GlobalAveragePool(a) z = Concat<axis=1>(b, b)",
    "concat of rows": "a = Relu(x) z = Concat<axis=2>(a, x)",
    "transpose": "z = Transpose<perm=[0, 3, 1, 2]>(x)",
    "reshape": "s = Constant<value_ints=[0, 4, 3, 6]>() z = Reshape(x, s)",
    "add": "a = Relu(x) z = Add(a, x)",
    "convolution": (
        "z = Conv<kernel_shape=[3, 2], strides=[2, 1], pads=[2, 0, 1, 1], dilations=[1, 2], group=2>(x, w, c)"
    ),
    "gemm": "f = Flatten<axis=1>(x) z = Gemm<transB=1>(f, m, n)",
}


@pytest.mark.parametrize("case", OPERATORS)
def test_operators_as_onnx_runtime_runs_them(case):
    parameters = {"w": ramp(4, 1, 3, 2), "c": ramp(4), "m": ramp(3, 72), "n": ramp(3)}
    used = {name: array for name, array in parameters.items() if f", {name}" in OPERATORS[case]}
    model = canonicalize(parse(OPERATORS[case] + "\n y = Flatten<axis=1>(z)", **used))
    x = samples(model)
    np.testing.assert_allclose(logits_of(TorchEngine(model, ()), x), run_ort(model, x), rtol=1e-5, atol=1e-6)


def test_an_input_scaled_by_channel_is_run_as_onnx_runtime_runs_it():
    sizes = np.array([0.1, 1e4], np.float32)
    model = canonicalize(
        parse("y = Gemm<transB=1>(x, w, b)", input_shape="N,2", w=ramp(3, 2) / sizes, b=ramp(3))
    )
    x = (ramp(40, 2, scale=1.0) + 1) * sizes
    scaled = to_float(quantize(model, x))
    assert [node.op_type for node in scaled.graph] == ["Sub", "Mul", "Gemm"]
    np.testing.assert_allclose(
        logits_of(TorchEngine(scaled, ()), x), run_ort(scaled, x), rtol=1e-5, atol=1e-6
    )


def test_gradients_and_loss_are_those_of_the_module(exported):
    network = networks.build("lenet5")
    x, y = networks.sample("lenet5", 4), np.array([3, 1, 4, 1])
    loss = F.cross_entropy(network(torch.from_numpy(x)), torch.from_numpy(y))
    loss.backward()
    names = ("conv1.weight", "fc3.bias")
    engine = TorchEngine(canonicalize(exported("lenet5")), names)
    value, gradients = engine.gradients(Batch.of(x, y))
    assert value == pytest.approx(loss.item(), rel=1e-5)
    assert engine.loss(Batch.of(x, y)) == pytest.approx(loss.item(), rel=1e-5)
    assert tuple(gradients) == names
    for name, parameter in network.named_parameters():
        if name in names:
            np.testing.assert_allclose(gradients[name], parameter.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_moved_weights_are_restored_and_written_back():
    model = canonicalize(load_onnx(model_path()))
    engine = TorchEngine(model, ("head.weight", "stem.bias"))
    x = np.sin(np.arange(2 * 32 * 50, dtype=np.float32)).reshape(2, 1, 32, 50)
    before, logits = engine.snapshot(), logits_of(engine, x)
    engine.apply({"head.weight": np.ones((10, 48), np.float32), "stem.bias": np.ones(48, np.float32)})
    np.testing.assert_array_equal(before["stem.bias"] + 1, engine.snapshot()["stem.bias"])
    moved = logits_of(engine, x)
    assert not np.array_equal(moved, logits)
    adapted = engine.model()
    np.testing.assert_array_equal(logits_of(TorchEngine(adapted, ()), x), moved)
    np.testing.assert_array_equal(logits_of(TorchEngine(model, ()), x), logits)
    engine.restore(before)
    np.testing.assert_array_equal(logits_of(engine, x), logits)


def test_a_quantized_model_runs_as_floats():
    model = canonicalize(load_onnx(model_path()))
    x = np.sin(np.arange(4 * 32 * 50, dtype=np.float32)).reshape(4, 1, 32, 50)
    quantized = quantize(model, x, QuantizationSettings.parse("16w8a"))
    engine = TorchEngine(to_float(quantized), ("head.weight",))
    np.testing.assert_allclose(
        logits_of(engine, x), logits_of(TorchEngine(model, ()), x), rtol=1e-2, atol=1e-2
    )
    assert engine.snapshot()["head.weight"].shape == (10, 48)


def test_unknown_parameters_are_named():
    with pytest.raises(StepforwardError, match=r"no parameter called 'neck\.weight'") as caught:
        TorchEngine(canonicalize(load_onnx(model_path())), ("head.weight", "neck.weight"))
    assert "stem.weight" in caught.value.remedy


def test_missing_torch_names_the_extra(monkeypatch):
    import importlib
    import sys

    monkeypatch.delitem(sys.modules, "stepforward.engines.torch")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(StepforwardError, match="needs torch") as caught:
        importlib.import_module("stepforward.engines.torch")
    assert "stepforward[torch]" in caught.value.remedy
