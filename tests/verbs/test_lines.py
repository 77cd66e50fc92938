"""Networks over time, convolutional or recurrent, from samples of shape (C, T) in an .npz to an adapted model."""

import numpy as np
import pytest
from onnx_graphs import parse, ramp, run_ort

from stepforward.program import fileformat
from stepforward.sources.onnx.file import save_onnx
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.predict import predict
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay

CONVOLUTIONS = """a = Conv<kernel_shape=[5], pads=[2, 2]>(x, w, b)
r = Relu(a)
p = MaxPool<kernel_shape=[2], strides=[2]>(r)
c = Conv<kernel_shape=[3]>(p, v, b)
s = Relu(c)
m = GlobalAveragePool(s)
f = Flatten(m)
y = Gemm<transB=1>(f, u, d)"""


RECURRENT = """t = Transpose<perm=[2, 0, 1]>(x)
z, h, c = LSTM<hidden_size=6>(t, wl, rl)
q = Squeeze(z, one)
z2, h2 = GRU<hidden_size=4, direction="bidirectional", linear_before_reset=1>(q, wg, rg)
p = Transpose<perm=[1, 0, 2]>(h2)
f = Flatten(p)
y = Gemm<transB=1>(f, u, d)"""


@pytest.fixture(scope="module", params=[CONVOLUTIONS, RECURRENT], ids=["convolutions", "recurrent"])
def files(request, tmp_path_factory):
    """A float model, and samples with labels that it gives most of them."""
    folder = tmp_path_factory.mktemp("lines")
    rng = np.random.default_rng(3)
    draw = {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    more = {"b": ramp(8), "d": np.zeros(4, np.float32), "one": np.array([1])}
    model = parse(request.param, "N,3,20", opset=18, **more, **draw)
    save_onnx(model, folder / "net.onnx")
    x = rng.normal(size=(80, 3, 20)).astype(np.float32)
    logits = run_ort(model, x)
    y = (logits - logits.mean(axis=0)).argmax(axis=1)
    np.savez(folder / "data.npz", x=x, y=y)
    np.savez(folder / "turned.npz", x=x.swapaxes(1, 2), y=y)
    return folder


SHAPES = {
    "w": (8, 3, 5),
    "v": (8, 8, 3),
    "u": (4, 8),
    "wl": (1, 24, 3),
    "rl": (1, 24, 6),
    "wg": (2, 12, 6),
    "rg": (2, 12, 4),
}


def test_quantized_evaluated_and_predicted(files, tmp_path):
    quantize(files / "net.onnx", files / "data.npz", out=tmp_path / "q.onnx")
    float_, integer = (
        evaluate(model, files / "data.npz") for model in (files / "net.onnx", tmp_path / "q.onnx")
    )
    assert abs(float_["accuracy"] - integer["accuracy"]) <= 0.05
    turned = evaluate(tmp_path / "q.onnx", files / "turned.npz")
    assert turned["accuracy"] == integer["accuracy"]
    assert any("axes of each sample are swapped" in note for note in turned["notes"])
    assert len(predict(tmp_path / "q.onnx", files / "data.npz")) == 80


@pytest.mark.parametrize(("method", "bits"), [("qzo-ff", "16w8a"), ("qzo-ff", "8w8a"), ("backprop", "16w8a")])
def test_adapted(files, tmp_path, method, bits):
    result = adapt(
        files / "net.onnx",
        files / "data.npz",
        out=tmp_path / "run",
        method=method,
        bits=bits,
        train="all",
        steps=3,
        batch=16,
        progress=False,
    )
    if method == "qzo-ff":
        program = fileformat.load(tmp_path / "run" / "adapted.sfp")
        replayed = replay(tmp_path / "run" / "base.onnx", tmp_path / "run" / "journal")
        assert replayed["weights_sha256"] == result["weights_sha256"] == program.weights_sha256
        assert evaluate(tmp_path / "run" / "adapted.onnx", files / "data.npz")["count"] == 80


def test_a_recording_needs_no_settings_where_its_columns_are_the_channels(files, tmp_path):
    """`adapt model.onnx motion.csv`; what was assumed is a note, and travels with the adapted model."""
    x = np.load(files / "data.npz")["x"].swapaxes(1, 2)
    y = np.load(files / "data.npz")["y"]
    rows = [
        ",".join(map(str, row)) + f",motion{label}" for one, label in zip(x, y, strict=True) for row in one
    ]
    path = tmp_path / "motion.csv"
    path.write_text("\n".join(["ax,ay,az,activity", *rows]) + "\n")
    names = [f"motion{number}" for number in range(4)]
    result = adapt(
        files / "net.onnx",
        path,
        classes=names,
        out=tmp_path / "run",
        train="head",
        steps=2,
        batch=8,
        progress=False,
    )
    assert any(
        "windows of 20 rows that do not overlap, the columns ax, ay, az" in note for note in result["notes"]
    )
    measured = evaluate(tmp_path / "run" / "adapted.onnx", path)
    assert measured["count"] == 80 and measured["class_names"] == names
    assert len(predict(tmp_path / "run" / "adapted.onnx", path)) == 80
