"""`check`: what stands in the way of a model, and what a device needs, from the file alone."""

import numpy as np
import onnx
import stripes
from onnx import numpy_helper

from stepforward.lowering.lower import lower
from stepforward.program import fileformat
from stepforward.sources.open import open_source
from stepforward.verbs.check import check
from stepforward.verbs.inspect import inspect


def unsupported(path):
    model = stripes.network()
    for node in model.graph.node:
        if node.op_type == "Relu":
            node.op_type = "Hardmax"
        if node.op_type == "MaxPool":
            node.op_type = "LpPool"
    onnx.save(model, path)
    return path


def test_a_float_model_needs_what_its_quantized_form_needs(task):
    found, quantized, inspected = check(task.float_model), check(task.model), inspect(task.model)
    assert (found["supported"], found["bits"], quantized["bits"]) == (True, "float32", "16w8a")
    sizes = ("parameters", "macs", "operators", "flash_bytes", "ram_bytes_inference", "ram_bytes_training")
    assert {name: found[name] for name in sizes} == {name: quantized[name] for name in sizes}
    assert found["parameters"] == inspected["parameters"]
    assert found["ram_bytes_training"] == inspected["scratch_bytes_training"] + sum(
        inspected["other_ram"].values()
    )
    assert found["flash_bytes"] == len(fileformat.to_bytes(lower(open_source(task.model).network())))


def test_small_weights_of_a_float_model_are_no_reason_to_doubt_epsilon(tmp_path):
    """The ramps that stand in for samples say nothing about how far the user's own reach."""
    model = stripes.network()
    first = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    first.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(first) * np.float32(1e-5), first.name))
    onnx.save(model, tmp_path / "small.onnx")
    found = check(tmp_path / "small.onnx")
    assert found["ram_bytes_training"] and not any("training plan" in note for note in found["notes"])


def test_it_says_whether_the_file_names_classes_and_preprocessing(task, tmp_path):
    plain = stripes.network()
    del plain.metadata_props[:]
    onnx.save(plain, tmp_path / "plain.onnx")
    assert check(task.float_model)["class_names"] == stripes.NAMES
    assert check(task.float_model)["preprocessing"] == stripes.PREPROCESSING
    assert check(tmp_path / "plain.onnx")["class_names"] is None
    assert check(tmp_path / "plain.onnx")["preprocessing"] is None


def test_what_is_not_supported_is_a_result(tmp_path):
    found = check(unsupported(tmp_path / "hardmax.onnx"))
    assert not found["supported"]
    assert [
        operator in problem["what"]
        for operator, problem in zip(("Hardmax", "LpPool"), found["problems"], strict=True)
    ]
    assert all(problem["remedy"] for problem in found["problems"])
    assert found["input_shape"] == [1, 8, 8]
