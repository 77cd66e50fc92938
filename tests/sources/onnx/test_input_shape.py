import pytest
from onnx_graphs import parse

from stepforward.errors import StepforwardError
from stepforward.graph.metadata import set_preprocessing
from stepforward.sources.onnx.file import load_onnx, save_onnx
from stepforward.sources.onnx.input_shape import parse_input_shape
from stepforward.sources.open import open_source

IMAGE = {"kind": "image", "height": 6, "width": 8, "channels": 2, "mean": [0, 0], "std": [1, 1]}
MEL = {"kind": "log_mel", "mels": 6, "samples": 80, "hop": 10}


@pytest.fixture
def write(tmp_path):
    def write(input_shape, preprocessing=None):
        model = parse("g = GlobalAveragePool(x)\ny = Flatten(g)", input_shape=input_shape)
        if preprocessing:
            set_preprocessing(model, preprocessing)
        save_onnx(model, tmp_path / "a.onnx")
        return tmp_path / "a.onnx"

    return write


def shape(model):
    return tuple(model.graph.inputs[0].shape.dims[1:])


def test_open_sizes_come_from_the_user(write):
    path = write("N,2,H,W")
    assert open_source(path, "2,6,8").input_shape == (2, 6, 8)
    assert open_source(path, (2, 10, 8)).input_shape == (2, 10, 8)


def test_open_sizes_come_from_the_preprocessing(write):
    assert shape(load_onnx(write("N,2,H,W", IMAGE))) == (2, 6, 8)
    assert shape(load_onnx(write("N,1,H,W", MEL))) == (1, 6, 8)
    assert shape(load_onnx(write("N,H,W,2", IMAGE))) == (6, 8, 2)


def test_without_either_the_message_names_the_option(write):
    with pytest.raises(StepforwardError, match=r"axis 2 of input 'x' .* is dynamic") as caught:
        load_onnx(write("N,2,H,W"))
    assert "--input-shape C,H,W" in caught.value.remedy


def test_fixed_sizes_stay(write):
    path = write("N,2,6,W")
    assert shape(load_onnx(path, (2, 6, 9))) == (2, 6, 9)
    for given in ((2, 7, 9), (2, 6)):
        with pytest.raises(StepforwardError, match="does not fit input 'x'"):
            load_onnx(path, given)
    assert shape(load_onnx(write("N,2,4,4", IMAGE))) == (
        2,
        4,
        4,
    )  # refused where data is read, with both sizes


@pytest.mark.parametrize("text", ["", "3,a", "0,2,2", "1,2,3,4", "-1,2,2"])
def test_what_is_no_shape(text):
    with pytest.raises(StepforwardError, match="not the shape of a sample"):
        parse_input_shape(text)
