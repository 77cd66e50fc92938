import sys

import numpy as np
import pytest

from stepforward.data.function import find_function, function_name
from stepforward.data.load import load
from stepforward.errors import StepforwardError


@pytest.fixture
def texts(tmp_path):
    for name, values in (("low", "1 2 3 4"), ("high", "7 8 9 9")):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "a.txt").write_text(values)
    return tmp_path / "data"


def prepare(path):
    with open(path) as file:
        return np.array(file.read().split(), dtype=np.float32).reshape(1, 2, 2)


def test_any_file_becomes_a_sample(texts):
    data = load(texts, prepare, ("low", "high"), input_shape=(1, 2, 2))
    assert data.x[:, 0].tolist() == [[[1, 2], [3, 4]], [[7, 8], [9, 9]]]
    assert data.y.tolist() == [0, 1]
    assert data.notes == ()


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda path: 1 / 0, r"a\.txt: .*<lambda> fails on it \(ZeroDivisionError"),
        (
            lambda path: np.zeros((2, 2)),
            r"a\.txt: .* gives float64 of shape \(2, 2\), .* reads \(1, 2, 2\)",
        ),
        (lambda path: np.full((1, 2, 2), np.nan), "gives NaN"),
        (lambda path: "text", r"gives <U4 of shape \(\)"),
    ],
)
def test_what_it_does_wrong_names_the_file(texts, function, match):
    with pytest.raises(StepforwardError, match=match):
        load(texts, function, ("low", "high"), input_shape=(1, 2, 2))


def test_it_is_found_by_name_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "own_steps_of_a_test.py").write_text("def prepare(path):\n    return path\n")
    (tmp_path / "broken_steps_of_a_test.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert find_function("own_steps_of_a_test:prepare")("a") == "a"
    for wrong, match in (
        ("own_steps_of_a_test:nothing", "has no function 'nothing'"),
        ("own_steps_of_a_test", "write module:function"),
        ("missing_steps_of_a_test:prepare", "cannot be imported"),
        ("broken_steps_of_a_test:prepare", "ZeroDivisionError"),
    ):
        with pytest.raises(StepforwardError, match=match):
            find_function(wrong)
    assert sys.path == before
    assert function_name("a:b") == "a:b"


def test_arrays_have_no_use_for_it(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 1, 2, 2), np.float32), y=[0, 1])
    with pytest.raises(StepforwardError, match="a preprocessing function reads files"):
        load(tmp_path / "a.npz", prepare, input_shape=(1, 2, 2))
