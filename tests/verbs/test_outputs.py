"""Models with several outputs through the verbs: adapted by their logits, returned with everything they had."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import stripes
from onnx import TensorProto, helper

pytest.importorskip("onnxruntime", reason="needs stepforward[ort]")

import onnxruntime
from ort_files import quantized
from tflite_files import small

import stepforward as sf
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.report.checked import next_command
from stepforward.report.command import command_line
from stepforward.sources.open import open_source
from stepforward.sources.tflite.file import parse

OPTIONS = {"steps": 40, "lr": 3e-3, "progress": False}


def several():
    """The network of the stripes with its features, their direction, and probabilities besides; logits come third."""
    model = stripes.network(opset=17)
    graph = model.graph
    graph.node[3].output[0], graph.node[4].input[0] = "features", "features"
    graph.node.extend(
        [
            helper.make_node("ReduceL2", ["features"], ["length"], axes=[1]),
            helper.make_node("Div", ["features", "length"], ["direction"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ]
    )
    sizes = {"features": 64, "direction": 64, "logits": 3, "probabilities": 3}
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in sizes.items()
    )
    return model


def outputs(path, x):
    session = onnxruntime.InferenceSession(path)
    return dict(
        zip((value.name for value in session.get_outputs()), session.run(None, {"x": x}), strict=True)
    )


@pytest.fixture(scope="module")
def run(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    onnx.save(several(), folder / "m.onnx")
    result = sf.adapt(
        folder / "m.onnx", task.data, test=task.test, out=folder / "run", output="logits", **OPTIONS
    )
    return folder, result


def test_an_adapted_file_has_the_outputs_of_the_original(run, task):
    folder, result = run
    x, y = task.test
    before, after = (outputs(folder / name, x) for name in ("m.onnx", "run/adapted.onnx"))
    assert [(name, values.shape) for name, values in after.items()] == [
        (name, values.shape) for name, values in before.items()
    ]
    assert result.adapted_loss < result.zero_shot_loss
    assert (after["logits"].argmax(axis=1) == y).mean() == result.adapted_accuracy
    lengths = np.linalg.norm(after["features"], axis=1, keepdims=True)
    np.testing.assert_allclose(after["direction"] * lengths, after["features"], rtol=1e-4, atol=1e-6)
    powers = np.exp(after["logits"])
    np.testing.assert_allclose(after["probabilities"], powers / powers.sum(axis=1, keepdims=True), rtol=1e-4)


def test_the_adapted_file_opens_again_and_says_which_output_holds_the_logits(run, task):
    folder, result = run
    measured = sf.evaluate(folder / "run" / "adapted.onnx", task.test)
    assert (measured["accuracy"], measured["weights_sha256"]) == (
        result.adapted_accuracy,
        result.weights_sha256,
    )
    assert [note for note in measured["notes"] if note.startswith("the logits are the output 'logits'")]
    found = sf.predict(folder / "run" / "adapted.onnx", task.test[0])
    assert len(found) == len(task.test[0])
    assert sf.inspect(folder / "run" / "adapted.onnx")["class_names"] == stripes.NAMES


def test_a_run_is_replayed_and_resumed(run, task, tmp_path):
    folder, result = run
    sf.replay(folder / "run" / "base.onnx", folder / "run" / "journal", out=tmp_path / "again.onnx")
    replayed, adapted = (
        outputs(path, task.test[0]) for path in (tmp_path / "again.onnx", folder / "run" / "adapted.onnx")
    )
    assert list(replayed) == list(adapted)
    assert all(np.array_equal(replayed[name], adapted[name]) for name in adapted)
    again = sf.adapt(
        folder / "m.onnx",
        task.data,
        test=task.test,
        out=folder / "run",
        output="logits",
        resume=True,
        **OPTIONS,
    )
    assert again.weights_sha256 == result.weights_sha256


def test_a_result_says_what_was_asked(run):
    _, result = run
    assert result["output"] == "logits"
    assert "--output logits" in command_line(replace(result, data="a", test="b"))
    assert sum("'direction', 'probabilities'" in note for note in result.notes) == 1


def test_check_names_the_output_in_the_next_command(run):
    folder, _ = run
    found = sf.check(folder / "m.onnx")
    assert (found["supported"], found["outputs"]) == (True, 3)  # "logits" by its name
    found = sf.check(folder / "m.onnx", output="logits")
    assert next_command(found).endswith("m.onnx --output logits --data DATA")
    found = sf.check(folder / "m.onnx", output="features")
    assert "names 3 classes and has 64 outputs" in found["problems"][0]["what"]


def test_a_matching_keeps_them_too(run, task, tmp_path):
    folder, _ = run
    sf.quantize(folder / "m.onnx", task.data, out=tmp_path / "base.onnx")
    sf.adapt(tmp_path / "base.onnx", task.data[0], method="match", out=tmp_path / "run", progress=False)
    assert list(outputs(tmp_path / "run" / "adapted.onnx", task.test[0])) == [
        *("features", "direction", "logits", "probabilities")
    ]


def test_backpropagation_keeps_those_of_a_float_model(run, task, tmp_path):
    pytest.importorskip("torch")
    folder, _ = run
    options = {"method": "backprop", "steps": 5, "progress": False}
    sf.adapt(folder / "m.onnx", task.data, out=tmp_path / "float", **options)
    assert list(outputs(tmp_path / "float" / "adapted.onnx", task.test[0])) == [
        *("features", "direction", "logits", "probabilities")
    ]
    result = sf.adapt(folder / "run" / "base.onnx", task.data, out=tmp_path / "quantized", **options)
    assert list(outputs(tmp_path / "quantized" / "adapted.onnx", task.test[0])) == ["logits"]
    assert sum("'features', 'direction', 'probabilities' is left out" in note for note in result.notes) == 1


def test_an_int8_onnx_file_of_another_tool_is_returned_with_all_outputs(task, tmp_path):
    quantized(several(), task.data[0], tmp_path / "m.onnx", per_channel=False)
    result = sf.adapt(
        tmp_path / "m.onnx",
        task.data,
        test=task.test,
        out=tmp_path / "run",
        output="logits",
        train="all",
        **{**OPTIONS, "epsilon": 0.05, "lr": 0.05},
    )
    before, after = (outputs(tmp_path / name, task.test[0]) for name in ("m.onnx", "run/adapted.onnx"))
    assert list(before) == list(after) and result.weights_sha256 != result.base_sha256
    assert not np.array_equal(before["features"], after["features"])
    assert (after["logits"].argmax(axis=1) == task.test[1]).mean() == result.adapted_accuracy
    assert sum("changes 'features', 'direction', 'probabilities' too" in note for note in result.notes) == 1
    again = sf.replay(tmp_path / "m.onnx", tmp_path / "run" / "journal", output="logits")
    assert again["weights_sha256"] == result.weights_sha256
    assert open_source(tmp_path / "m.onnx", output="probabilities").outputs == 3
    with pytest.raises(StepforwardError, match="is returned with all its outputs"):
        open_source(tmp_path / "m.onnx", output="only:logits")


def test_an_int8_tflite_file_is_returned_with_all_outputs(tmp_path):
    pytest.importorskip("tflite", reason="needs stepforward[tflite]")
    draft, first, last = small()
    names = ["mean", "depthwise", "logits"]
    draft_file = parse(draft.content([first], [last]), "m.tflite")
    numbers = [[tensor.name for tensor in draft_file.tensors].index(name) for name in names]
    path = tmp_path / "m.tflite"
    path.write_bytes(draft.content([first], numbers))

    opened = open_source(path)  # "logits" by its name
    assert opened.outputs == 3
    assert opened.notes == [
        "the logits are the output 'logits'; what adapting changes in the layers before it changes 'mean', "
        "'depthwise' too"
    ]
    program = lower(opened.network())
    (tmp_path / "one.tflite").write_bytes(draft.content([first], [last]))
    assert program.weights_sha256 == lower(open_source(tmp_path / "one.tflite").network()).weights_sha256

    weights = {name: p.q // 2 for name, p in opened.parameters.items()}
    opened.with_weights(weights).save(tmp_path / "back.tflite")
    back = open_source(tmp_path / "back.tflite")
    assert back.model.outputs == opened.model.outputs
    assert lower(back.network()).weights_sha256 != program.weights_sha256

    cut = open_source(path, output="mean")  # what comes after it is no part of the network
    assert (cut.outputs, len(cut.network().nodes)) == (6, len(opened.network().nodes) - 1)
    with pytest.raises(StepforwardError, match="has no output 'y'"):
        open_source(path, output="y")
