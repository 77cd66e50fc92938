import onnx
import onnx_ir as ir
import pytest
from cli import stripes

from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
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
