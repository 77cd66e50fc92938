"""A network as Keras and TensorFlow export it, input (N, H, W, C), meets images: all commands, as for (N, C, H, W)."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from stepforward.verbs.predict import predict

SIZES = "scratch_bytes_inference scratch_bytes_training host_scratch_bytes"  # the Transpose has an output of its own
TIMES = "seconds steps_per_second"


def network(path: Path, size: tuple[int, int, int], last: bool, front: str = "Transpose") -> Path:
    """Conv, Relu, average, Gemm to three classes; `last`: reads (N, H, W, C) and begins as tf2onnx writes it."""
    channels, height, width = size
    rng = np.random.default_rng(1)
    arrays = {
        "conv.weight": rng.normal(size=(6, channels, 3, 3)),
        "conv.bias": rng.normal(size=6),
        "head.weight": rng.normal(size=(3, 6)),
        "head.bias": rng.normal(size=3),
    }
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()]
    nodes = [
        helper.make_node("Conv", ["t" if last else "x", "conv.weight", "conv.bias"], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "head.weight", "head.bias"], ["y"], transB=1),
    ]
    if last and front == "Transpose":
        nodes.insert(0, helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]))
    elif last:
        constants.append(numpy_helper.from_array(np.array([-1, *size]), "shape"))
        nodes.insert(0, helper.make_node("Reshape", ["x", "shape"], ["t"]))
    shape = ["N", height, width, channels] if last else ["N", channels, height, width]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def images(tmp_path) -> Path:
    """Three classes of noise, each with a colour of its own."""
    rng = np.random.default_rng(2)
    for label, name in enumerate("abc"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for take in range(8):
            pixels = rng.random((12, 9, 3)) * np.roll([1, 0.6, 0.3], label) * 255
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / name / f"{take}.png")
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("size", "front"), [((3, 10, 8), "Transpose"), ((1, 10, 8), "Transpose"), ((1, 10, 8), "Reshape")]
)
def test_every_command_gives_what_it_gives_for_channels_first(run_json, images, tmp_path, size, front):
    made = {}
    for last in (False, True):
        model = network(tmp_path / "net.onnx", size, last, front)
        out = f"run{last}"
        code, checked = run_json("check", model)
        assert (code, checked["supported"]) == (0, True)
        code, adapted = run_json(
            "adapt", model, "--data", images, "--steps", 40, "--lr", "2e-2", "--out", out
        )
        assert code == 0
        code, measured = run_json("evaluate", f"{out}/adapted.onnx", "--data", images)
        assert code == 0
        code, seen = run_json("predict", f"{out}/adapted.onnx", images / "a/0.png", images / "c/1.png")
        assert code == 0
        for name in (*SIZES.split(), *TIMES.split(), "out", "for_good"):
            adapted.pop(name, None), measured.pop(name, None)
        made[last] = adapted, measured, seen
    assert made[True] == made[False]
    assert made[True][0]["kept_step"] > 0


def test_the_line_that_fixes_it_for_good_keeps_the_order_of_axes(run_json, images, tmp_path):
    model = network(tmp_path / "net.onnx", (3, 10, 8), last=True)
    _, before = run_json("evaluate", model, "--data", images, "--image", "mean=0.5,std=0.25")
    code, _ = run_json("quantize", model, "--data", images, "--image", "mean=0.5,std=0.25", "--out", "q.onnx")
    assert code == 0
    code, after = run_json("evaluate", "q.onnx", "--data", images)
    assert (code, after["count"]) == (0, before["count"])
    again = run_json("evaluate", "q.onnx", "--data", images, "--image", "mean=0.5,std=0.25")[1]
    assert again["confusion"] == after["confusion"]


def test_arrays_in_either_order_are_the_same_samples(run_json, tmp_path):
    model = network(tmp_path / "net.onnx", (3, 10, 8), last=True)
    x = np.random.default_rng(3).normal(size=(9, 10, 8, 3)).astype(np.float32)
    np.savez(tmp_path / "last.npz", x=x, y=np.arange(9) % 3)
    np.savez(tmp_path / "first.npz", x=np.moveaxis(x, -1, 1), y=np.arange(9) % 3)
    last, first = (run_json("evaluate", model, "--data", tmp_path / f"{n}.npz")[1] for n in ("last", "first"))
    assert last["loss"] == first["loss"]
    assert any("the first axis, channels, becomes the last" in note for note in first["notes"])
    assert not last["notes"]


def test_python_takes_images_as_arrays(images, tmp_path):
    pixels = np.stack([np.asarray(Image.open(images / "a" / f"{take}.png")) for take in range(3)])
    words = {"image": {"mean": 0.5}, "classes": ["a", "b", "c"]}
    answers = []
    for last in (False, True):
        model = network(tmp_path / "net.onnx", (3, 10, 8), last)
        answers.append(predict(model, pixels, **words))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("last", [False, True])
def test_a_shape_of_two_readings_is_said(run_json, images, tmp_path, last):
    model = network(tmp_path / "net.onnx", (3, 3, 3), last)
    code, result = run_json("adapt", model, "--data", images, "--steps", 2, "--out", "run")
    assert code == 0
    (said,) = [note for note in result["notes"] if "could be (C, H, W) or (H, W, C)" in note]
    assert f"it is read as {'(H, W, C)' if last else '(C, H, W)'}" in said
    _, again = run_json("evaluate", "run/adapted.onnx", "--data", images)
    assert sum("could be (C, H, W)" in note for note in again["notes"]) == 1
    straight = network(tmp_path / "first.onnx", (3, 3, 3), last=False)
    _, other = run_json("evaluate", straight, "--data", images)
    assert other["confusion"] == run_json("evaluate", model, "--data", images)[1]["confusion"]
