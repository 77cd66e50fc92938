import dataclasses

import numpy as np
import pytest

pytest.importorskip("tflite", reason="needs stepforward[tflite]")

from tflite_files import Draft, constants, small

from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.lowering.weights import network_weights
from stepforward.sources.open import open_source
from stepforward.sources.tflite.file import parse
from stepforward.sources.tflite.read import read_network


def network(draft, first, last, runtime="tflm"):
    return read_network(parse(draft.content([first], [last]), "m.tflite"), "m.tflite", runtime).network


def test_a_file_is_a_network_of_its_own_integers():
    draft, first, last = small()
    found = network(draft, first, last)
    assert [node.op_type for node in found.nodes] == [
        "Conv", "Conv", "Add", "GlobalAveragePool", "Reshape", "Gemm",
    ]  # fmt: skip
    assert (found.input, found.output) == ("image", "logits")  # the softmax is dropped
    conv, depthwise = found.nodes[:2]
    assert (conv.weight.q.shape, depthwise.weight.q.shape) == ((6, 2, 3, 3), (6, 1, 3, 3))
    assert (conv.attributes["strides"], conv.attributes["pads"]) == ((2, 2), (0, 0, 1, 1))
    assert (conv.clip, depthwise.attributes["group"]) == ((0.0, None), 6)
    assert found.formats["image"].shape == (2, 8, 8)


def test_a_program_reads_images_as_the_file_does():
    program = lower(network(*small()))
    assert program.tensors[program.input].shape == (8, 8, 2)
    assert (program.metadata["channels_last"], program.metadata["runtime"]) == (True, "tflm")
    assert [op.kind for op in program.ops] == [
        "conv", "depthwise", "add", "average_pool", "fully_connected",
    ]  # fmt: skip


def test_a_source_says_what_its_file_reads(tmp_path):
    draft, first, last = small()
    (tmp_path / "m.tflite").write_bytes(draft.content([first], [last]))
    opened = open_source(tmp_path / "m.tflite")
    assert (opened.input_shape, opened.channels_last, opened.outputs) == ((8, 8, 2), True, 3)
    assert (opened.is_float, opened.bits, opened.runtime, opened.notes) == (False, "8w8a", "tflm", [])
    assert open_source(opened, runtime="litert").runtime == "litert"


def test_the_way_back_gives_the_same_bytes_and_changes_integers_alone(tmp_path):
    draft, first, last = small()
    content = draft.content([first], [last])
    (tmp_path / "m.tflite").write_bytes(content)
    opened = open_source(tmp_path / "m.tflite")
    given = network_weights(lower(opened.network()))
    opened.with_weights(given).save(tmp_path / "same.tflite")
    assert (tmp_path / "same.tflite").read_bytes() == content
    rng = np.random.default_rng(1)
    drawn = {name: rng.integers(-127, 128, q.shape) for name, q in given.items()}
    changed = opened.with_weights(drawn)
    found = network_weights(lower(changed.network()))
    assert all(np.array_equal(found[name], q) for name, q in drawn.items())
    assert len(changed.model.content) == len(content)
    assert changed.with_weights(given).model.content == content


@pytest.mark.parametrize(
    "weights, why",
    [
        ({"other": np.zeros(3, int)}, "no integer weight called 'other'"),
        ({"dense/b": np.zeros(4, int)}, r"of shape \(3,\)"),
        ({"dense/w": np.full((3, 6), 128)}, r"exceeds \+-127"),
        ({"dense/w": np.zeros((3, 6))}, "not float64"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, weights, why):
    draft, first, last = small()
    (tmp_path / "m.tflite").write_bytes(draft.content([first], [last]))
    with pytest.raises(StepforwardError, match=why):
        open_source(tmp_path / "m.tflite").with_weights(weights)


def changed(draft, name, **fields):
    """The draft with other fields of a tensor: shape, dtype, scale, zero_points, variable."""
    names = ("name", "shape", "dtype", "scale", "zero_points", "axis", "buffer", "variable")
    place = next(i for i, tensor in enumerate(draft.tensors) if tensor[0] == name)
    tensor = dict(zip(names, draft.tensors[place], strict=True)) | fields
    draft.tensors[place] = tuple(tensor.values())


@pytest.mark.parametrize(
    "name, fields, why",
    [
        ("conv/w", {"zero_points": [1] * 6}, "CONV_2D 0 .conv.: its weight conv/w is asymmetric"),
        ("conv", {"dtype": "float32"}, "conv is FLOAT32 .hybrid"),
        ("conv", {"dtype": "int16"}, "conv is INT16"),
        ("image", {"shape": (2, 8, 8, 2)}, "batch of 1"),
        ("conv", {"shape": (1, 5, 4, 6)}, r"makes \(4, 4\) positions"),
        ("sum", {"variable": True}, "a state that is kept between calls"),
        ("logits", {"scale": [np.inf]}, "the scale of logits is inf"),
        ("dw/w", {"scale": [0.1, 0.2]}, "not one per output"),
        ("dw/w", {"axis": 0}, "count axis 0"),
        ("dense/b", {"dtype": "int8"}, "dense/b is INT8, not INT32"),
        ("dense/b", {"shape": (2,)}, "do not fill its shape"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_operator_and_tensor(name, fields, why):
    draft, first, last = small()
    changed(draft, name, **fields)
    with pytest.raises(StepforwardError, match=why) as raised:
        network(draft, first, last)
    assert "supported: int8 models of CONV_2D" in raised.value.remedy


def test_all_problems_are_said_at_once():
    draft = Draft()
    x = draft.activation("x", (1, 4), 0.1)
    a, b = (draft.activation(name, (1, 4), 0.1) for name in "ab")
    draft.operator("CUSTOM_THING", [x], [a])
    draft.operator("WHILE", [a], [b])
    with pytest.raises(StepforwardError) as raised:
        network(draft, x, b)
    assert "custom CUSTOM_THING 0 (a): a custom operator" in raised.value.what
    assert "WHILE 1 (b): control flow" in raised.value.what


def test_several_graphs_inputs_and_outputs_are_refused():
    draft, first, last = small()
    with pytest.raises(StepforwardError, match="2 graphs"):
        parse(draft.content([first], [last], graphs=2), "m")
    with pytest.raises(StepforwardError, match="2 outputs"):
        read_network(parse(draft.content([first], [last, last]), "m"), "m", "tflm")


def test_constants_that_share_their_bytes_stay_and_are_noted():
    draft, first, last = small()
    place = {tensor[0]: i for i, tensor in enumerate(draft.tensors)}
    changed(draft, "dw/b", buffer=draft.tensors[place["conv/b"]][6])
    found = read_network(parse(draft.content([first], [last]), "m"), "m", "tflm")
    assert [p.frozen for node in found.network.nodes[:2] for p in node.parameters] == [False, True] * 2
    assert len(found.notes) == 2 and "conv/b shares its bytes" in found.notes[0]


def test_a_layer_without_bias_has_zeros_that_stay():
    draft, first, last = small()
    code, inputs, outputs, options = draft.operators[-2]
    draft.operators[-2] = (code, inputs[:2], outputs, options)
    bias = network(draft, first, last).nodes[-1].bias
    assert bias.frozen and not bias.q.any()


@pytest.mark.parametrize("dtype, scale, zero", [("float32", None, 0), ("uint8", 0.05, 0)])
def test_floats_and_bytes_at_the_ends_belong_to_the_body(dtype, scale, zero):
    draft, first, last = small()
    x = draft.activation("given", (1, 8, 8, 2), scale, zero, dtype=dtype)
    draft.operators.insert(0, ("QUANTIZE", [x], [first], {}))
    y = draft.activation("result", (1, 3), None, dtype="float32")
    draft.operator("DEQUANTIZE", [last], [y])
    found = network(draft, x, y)
    assert dataclasses.asdict(found.formats["image"]) == {
        "scale": float(np.float32(0.05)), "zero_point": -128, "dtype": "s8", "shape": (2, 8, 8),
    }  # fmt: skip
    assert (found.input, found.output) == ("image", "logits")


def test_a_damaged_file_is_refused_in_one_line():
    content = (lambda draft, x, y: draft.content([x], [y]))(*small())
    refused = 0
    for size in range(0, len(content), 37):
        try:
            read_network(parse(content[:size], "m"), "m", "tflm")
        except StepforwardError:
            refused += 1
    assert refused == len(range(0, len(content), 37))


def test_layers_made_of_constants_stay_as_they_are(tmp_path):
    draft, first, last = constants()
    content = draft.content([first], [last])
    (tmp_path / "m.tflite").write_bytes(content)
    opened = open_source(tmp_path / "m.tflite")
    program = lower(opened.network())
    assert {t.name for t in program.parameters if not t.frozen} == {"w", "b"}
    given = network_weights(program)
    assert opened.with_weights(given).model.content == content
    other = next(t.name for t in program.parameters if t.frozen)
    with pytest.raises(StepforwardError, match="no place of its own"):
        opened.with_weights({other: given[other] + 1})


def one(code, shape=(1, 4), constant=None, y=(0.1, 0), **options):
    draft = Draft()
    x, other = draft.activation("x", shape, 0.1), draft.activation("z", shape, 0.1)
    draft.operator("RESHAPE", [x], [other])
    last = draft.activation("y", shape, *y)
    inputs = (
        [x]
        if constant is None
        else [x, other if isinstance(constant, str) else draft.constant("c", constant, 0.1)]
    )
    draft.operator(code, inputs, [last], **options)
    return draft, x, last


@pytest.mark.parametrize(
    "made, why",
    [
        (("SUB", (1, 4), "z"), "SUB 1 .y.: it reads two computed tensors"),
        (("ADD", (1, 4), np.zeros(4, np.int8)), r"c has shape \(4,\): a number can be read"),
        (("MUL", (1, 2, 4), np.zeros((2, 4), np.int8)), r"its constant c has shape \(2, 4\)"),
        (("MUL", (1, 4), np.zeros(1, np.uint8)), "c is UINT8, not INT8"),
        (("LOGISTIC",), "its output has scale 0.1 and zero point 0, not 0.00390625 and -128"),
        (("TRANSPOSE", (1, 4), np.array([1, 0], np.int32)), "the batch must stay first"),
        (("TRANSPOSE", (1, 4), np.array([0, 1], np.int32), (0.2, 0)), "equal formats are needed"),
    ],
)  # fmt: skip
def test_what_a_constant_or_a_format_makes_impossible_is_refused(made, why):
    with pytest.raises(StepforwardError, match=why):
        network(*one(*made))


@pytest.mark.parametrize(
    "code, why",
    [
        ("VAR_HANDLE", "keeps a state between calls.*VAR_HANDLE"),
        ("WHILE", "control flow: WHILE"),
        (None, "several sig"),
    ],
)
def test_what_several_graphs_are_for_is_said(code, why):
    draft, first, last = small()
    if code is not None:
        draft.operator(code, [], [first])
    with pytest.raises(StepforwardError, match=why):
        parse(draft.content([first], [last], graphs=2), "m")
