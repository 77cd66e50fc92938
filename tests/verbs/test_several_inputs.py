"""A network of several inputs, from the .npz to the file that a runtime feeds."""

import numpy as np
import onnx
import onnxruntime
import pytest

import stepforward as sf

TEXT = """<ir_version: 10, opset_import: ["": 18]>
net (float[N,1,4,4] image, float[N,3] motion) => (float[N,2] logits) {
    f = Flatten(image)
    a = Gemm<transB=1>(f, w, b)
    c = Gemm<transB=1>(motion, v, b)
    s = Add(a, c)
    r = Relu(s)
    logits = Gemm<transB=1>(r, o, d)
}"""
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    proto = onnx.parser.parse_model(TEXT)
    weights = {
        "w": RNG.normal(0, 0.4, (12, 16)),
        "v": RNG.normal(0, 0.004, (12, 3)),
        "b": np.zeros(12),
        "o": RNG.normal(0, 0.4, (2, 12)),
        "d": np.zeros(2),
    }
    for name, array in weights.items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), name))
    path = tmp_path_factory.mktemp("several") / "m.onnx"
    onnx.save(proto, path)
    return path


@pytest.fixture(scope="module")
def data():
    """Classes that neither input alone tells apart."""
    first, second = RNG.integers(0, 2, (2, 160))
    image = RNG.normal(0, 0.3, (160, 1, 4, 4)) + first[:, None, None, None]
    motion = RNG.normal(0, 30, (160, 3)) + 100 * second[:, None]
    inputs = {"image": image.astype(np.float32), "motion": motion.astype(np.float32)}
    return inputs, (first & second).astype(np.int64)


@pytest.fixture(scope="module")
def files(data, tmp_path_factory):
    folder, (inputs, y) = tmp_path_factory.mktemp("data"), data
    np.savez(folder / "labelled.npz", **inputs, y=y)
    np.savez(folder / "plain.npz", **inputs)
    np.savez(folder / "without.npz", image=inputs["image"], y=y)
    return folder


@pytest.fixture(scope="module")
def run(model, files, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    return out, sf.adapt(model, files / "labelled.npz", out=out, steps=200, progress=False)


def test_a_run_learns_and_its_file_is_fed_as_the_model_was(run, data):
    out, result = run
    inputs, y = data
    assert result["adapted_accuracy"] > max(result["zero_shot_accuracy"], 0.85)
    session = onnxruntime.InferenceSession(out / "adapted.onnx")
    found = session.run(None, inputs)[0].argmax(axis=1)
    assert [one.name for one in session.get_inputs()] == ["image", "motion"]
    predicted = sf.predict(out / "adapted.onnx", inputs)
    assert [int(one["class"]) for one in predicted] == found.tolist()
    assert sf.evaluate(out / "adapted.onnx", (inputs, y))["accuracy"] == pytest.approx((found == y).mean())


def test_replay_comes_to_the_same_weights(run, tmp_path):
    out, result = run
    base = sf.replay(out / "base.onnx", out / "journal", out=tmp_path / "again.onnx")
    assert base["weights_sha256"] == result["weights_sha256"]
    names = [one.name for one in onnxruntime.InferenceSession(tmp_path / "again.onnx").get_inputs()]
    assert names == ["image", "motion"]


def test_arrays_in_memory_are_what_the_file_holds(model, data, run):
    again = sf.adapt(model, data, steps=200, progress=False)
    assert again["weights_sha256"] == run[1]["weights_sha256"]


def test_samples_without_labels_match(model, files, data):
    quantized = sf.quantize(model, data)
    for samples in (files / "plain.npz", data[0]):
        assert sf.adapt(quantized, samples, method="match", progress=False)["method"] == "match"


def test_check_names_the_inputs(model):
    found = sf.check(model)
    assert found["inputs"] == [{"name": "image", "shape": [1, 4, 4]}, {"name": "motion", "shape": [3]}]
    assert (
        sf.inspect(sf.quantize(model, (np.zeros((2, 19), np.float32), [0, 1])))["inputs"] == found["inputs"]
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda x: {"image": x["image"]}, "has no array 'motion'"),
        (lambda x: x | {"motion": x["motion"][:5]}, "motion holds 5 samples and image 160"),
        (lambda x: x | {"motion": x["motion"].astype(int)}, "motion is int64"),
        (lambda x: x | {"image": x["image"][:, 0]}, r"image is float32 of shape \(160, 4, 4\)"),
        (lambda x: x | {"motion": x["motion"] * np.nan}, "sample 0 holds NaN"),
        (lambda x: x["image"], "give one array for each input, by its name: image, motion"),
    ],
)
def test_wrong_samples_are_refused_by_name(model, data, change, what):
    with pytest.raises(sf.StepforwardError, match=what):
        sf.evaluate(model, (change(data[0]), data[1]))


def test_a_network_of_one_input_takes_no_names(data, tmp_path):
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 18]> net (float[N,3] x) => (float[N,2] y) { y = Gemm<transB=1>(x, w) }'
    )
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((2, 3), np.float32), "w"))
    onnx.save(proto, tmp_path / "one.onnx")
    x = {"x": data[0]["motion"]}
    for call in (
        lambda: sf.evaluate(tmp_path / "one.onnx", (x, data[1])),
        lambda: sf.predict(tmp_path / "one.onnx", x),
    ):
        with pytest.raises(sf.StepforwardError, match="and the network has one input; what to do: give the"):
            call()


def test_a_file_without_an_input_or_labels_is_refused(model, files):
    with pytest.raises(sf.StepforwardError, match=r"without\.npz has no array 'motion' \(arrays: image\)"):
        sf.evaluate(model, files / "without.npz")
    with pytest.raises(sf.StepforwardError, match=r"plain\.npz has no array 'y'"):
        sf.evaluate(model, files / "plain.npz")


def test_a_torch_module_of_several_arguments():
    torch = pytest.importorskip("torch")

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.f, self.g = torch.nn.Linear(16, 4), torch.nn.Linear(3, 4)

        def forward(self, image, motion):
            return self.f(image.flatten(1)) + self.g(motion)

    made = sf.from_torch(Two(), (np.zeros((1, 1, 4, 4)), np.zeros((1, 3))))
    assert [value.name for value in made.graph.inputs] == ["image", "motion"]
    assert sf.check(made)["supported"]
