import numpy as np
import onnx
import onnx_ir as ir
import pytest
import stripes

from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.lowering.weights import network_weights
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.open import open_source


def test_a_file_and_a_model_open_alike(tmp_path):
    onnx.save(stripes.network(), tmp_path / "m.onnx")
    for model in (tmp_path / "m.onnx", str(tmp_path / "m.onnx"), ir.from_proto(stripes.network())):
        opened = open_source(model)
        assert (opened.is_float, opened.bits) == (True, "float32")
        assert (opened.input_shape, opened.outputs) == ((1, 8, 8), 3)
        assert opened.class_names == tuple(stripes.NAMES)
        assert opened.preprocessing == stripes.PREPROCESSING
    assert open_source(opened) is opened


def test_a_model_that_says_nothing_takes_arrays():
    network = stripes.network(preprocessing=None)
    del network.metadata_props[:]
    opened = open_source(ir.from_proto(network))
    assert (opened.preprocessing, opened.class_names) == (None, None)


@pytest.mark.parametrize(
    "thing", [None, 3, {"model": 1}, stripes.network()], ids=lambda thing: type(thing).__name__
)
def test_what_is_no_model_is_refused_by_kind(thing):
    with pytest.raises(StepforwardError, match=type(thing).__name__):
        open_source(thing)


def test_a_float_model_is_not_lowered():
    with pytest.raises(StepforwardError, match="float model"):
        lower(open_source(ir.from_proto(stripes.network())).network())


@pytest.fixture(scope="module")
def pair():
    """A float source, and the same in fixed point."""
    given = open_source(ir.from_proto(stripes.network()))
    x = np.random.default_rng(0).normal(size=(40, *given.input_shape)).astype(np.float32)
    return given, given.quantized(QuantizationSettings.parse("8w8a"), x)


def test_a_quantized_source_is_the_network_that_its_file_holds(pair, tmp_path):
    _, made = pair
    made.save(tmp_path / "q.onnx")
    read = open_source(tmp_path / "q.onnx")
    assert (read.is_float, read.bits, read.class_names) == (False, "8w8a", made.class_names)
    assert read.network().source == str(tmp_path / "q.onnx")
    assert lower(read.network()) == lower(made.network())


def test_weights_go_back_by_name_and_nothing_else_changes(pair, tmp_path):
    _, made = pair
    program = lower(made.network())
    made.save(tmp_path / "given.onnx")
    made.with_weights(network_weights(program)).save(tmp_path / "same.onnx")
    assert (tmp_path / "given.onnx").read_bytes() == (tmp_path / "same.onnx").read_bytes()
    moved = {name: np.where(q < 5, q + 1, q) for name, q in network_weights(program).items()}
    adapted = made.with_weights(moved)
    back = network_weights(lower(adapted.network()))
    assert back.keys() == moved.keys()
    assert all(np.array_equal(back[name], q) for name, q in moved.items())
    assert adapted.network().formats == made.network().formats
    assert lower(adapted.with_weights(network_weights(program)).network()) == program


def test_words_are_added_to_a_copy(pair):
    for source in pair:
        said = source.with_words(["a", "b", "c"], {"kind": "array"}, ["mind the gap"])
        assert (said.class_names, said.preprocessing) == (("a", "b", "c"), {"kind": "array"})
        assert said.notes == [*source.notes, "mind the gap"]
        again = open_source(said.model)
        assert (again.class_names, again.preprocessing, again.notes) == (
            said.class_names,
            said.preprocessing,
            said.notes,
        )
        assert source.class_names == tuple(stripes.NAMES)


def test_only_a_float_model_is_quantized_and_only_integers_go_back(pair):
    given, made = pair
    with pytest.raises(StepforwardError, match="quantized already"):
        made.quantized(QuantizationSettings(), np.zeros((2, 1, 8, 8), np.float32))
    with pytest.raises(StepforwardError, match="float model"):
        given.with_weights({})
