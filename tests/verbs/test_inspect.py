import json

import numpy as np
import pytest
from onnx_graphs import parse, ramp

from stepforward.files import plain
from stepforward.lowering.lower import lower
from stepforward.program import fileformat
from stepforward.settings import Settings
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.open import open_source
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.inspect import inspect
from stepforward.verbs.quantize import quantize


def test_the_figures_of_a_small_network(task):
    result = inspect(task.model, train="head")
    assert [op["kind"] for op in result["ops"]] == ["conv", "max_pool", "transpose", "fully_connected"]
    assert result["input_shape"] == [1, 8, 8]
    assert result["macs"] == 8 * 8 * 4 * 9 + 64 * 3
    assert result["parameters"] == 36 + 4 + 192 + 3
    assert result["trainable"] == ["head.weight", "head.bias"]
    assert result["trainable_parameters"] == 195
    assert result["weight_bytes"] == 2 * (36 + 192) + 4 * 7
    assert result["quanta"].keys() == set()  # an exact tail: no probe moves it
    quanta = inspect(task.model)["quanta"]
    assert len(quanta) == 2 and all(probe > 0.5 and step > 0 for probe, step in quanta.values())
    assert result["preprocessing"]["kind"] == "image"
    json.dumps(plain(result), allow_nan=False)


def test_what_memory_buys_on_this_host(task):
    host = inspect(task.model)["host"]
    assert host["fast"]["bytes"] > host["small"]["bytes"] > 0
    assert host["fast"]["packed_per_step"] == 2 * Settings().directions <= host["small"]["packed_per_step"]


def test_curved_votes_of_biases_have_their_own_passes_and_state(task):
    host = inspect(task.model, train="bias")["host"]
    assert host["batch"] == 32 and host["fast"]["packed_per_step"] == 33


def test_a_program_file_says_the_same_as_its_model(task, tmp_path):
    fileformat.save(lower(open_source(task.model).network()), tmp_path / "model.sfp")
    expected = inspect(task.model, train="last:2") | {"following": None}  # a program has no statistics
    assert inspect(tmp_path / "model.sfp", train="last:2") == expected


@pytest.mark.parametrize("shape", [(72,), (2, 36)])
def test_inputs_that_are_no_images(shape):
    body = "f = Flatten(x) y = Gemm<transB=1>(f, w, b)"
    dims = ",".join(map(str, shape))
    model = parse(body, f"N,{dims}", w=ramp(3, 72), b=ramp(3))
    x, y = ramp(12, *shape, scale=2.0), np.arange(12) % 3
    graph = quantize(model, x)
    assert inspect(graph)["input_shape"] == list(shape)
    assert evaluate(graph, (x, y))["correct"] == evaluate(canonicalize(model), (x, y))["correct"]


def test_the_state_that_settings_ask_for_is_said(task):
    result = inspect(task.model)
    elements = result["trainable_parameters"] - 195  # those of the head move by their gradient
    assert result["granted"]["--momentum"] == 2 * elements
    assert result["granted"]["--optimizer adam"] == 4 * elements
    assert result["granted"]["--guide"] == elements
    assert "--tail exact" not in result["granted"]  # it is in the state already
