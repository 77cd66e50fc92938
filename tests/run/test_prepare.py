import tracemalloc

import numpy as np
import pytest
import stripes
from onnx_graphs import parse, ramp

from stepforward.data.rows import BLOCK_BYTES
from stepforward.errors import StepforwardError
from stepforward.graph.metadata import set_class_names, set_preprocessing
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.run.prepare import load_data, prepare, repeated
from stepforward.settings import Settings
from stepforward.sources.open import open_source

BODY = "f = Flatten(x) y = Gemm<transB=1>(f, w, b)"
X = stripes.arrays(range(2))["x"]


def model(class_names=None, preprocessing=None, outputs=3, size=8):
    result = parse(BODY, f"N,1,{size},{size}", w=ramp(outputs, size * size), b=ramp(outputs))
    if class_names:
        set_class_names(result, class_names)
    if preprocessing:
        set_preprocessing(result, preprocessing)
    return open_source(result)


def test_a_model_without_names_numbers_its_classes():
    dataset = load_data(model(outputs=5), (X, np.arange(6) % 3), "test")
    assert dataset.class_names == ("0", "1", "2", "3", "4")


def test_names_in_the_file_count_the_outputs_of_a_model_without_names(tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=np.arange(6) % 3, class_names=np.array(["a", "b", "c"]))
    assert load_data(model(), tmp_path / "d.npz", "test").class_names == ("a", "b", "c")
    with pytest.raises(StepforwardError, match="3 classes, the network has 5 outputs"):
        load_data(model(outputs=5), tmp_path / "d.npz", "test")
    with pytest.raises(StepforwardError, match="3 classes, the network has 2 outputs"):
        load_data(model(outputs=2), (X, np.arange(6) % 3), "test")


def test_the_names_of_folders_are_never_guessed_to_be_outputs(tmp_path):
    nameless = model(preprocessing=stripes.PREPROCESSING)
    stripes.write_folder(tmp_path / "words", range(2))
    with pytest.raises(StepforwardError, match="no class 'horizontal'") as caught:
        load_data(nameless, tmp_path / "words", "test")
    assert "stepforward.class_names" in caught.value.remedy
    stripes.write_folder(tmp_path / "numbers", range(2), ["2", "0", "1"])
    assert load_data(nameless, tmp_path / "numbers", "test").y.tolist() == [0, 0, 1, 1, 2, 2]


def test_names_that_do_not_fit_the_outputs_are_refused():
    for names in (["a", "b"], list("abcde")):
        with pytest.raises(StepforwardError, match=f"names {len(names)} classes and has 3 outputs"):
            model(class_names=names)


def test_preprocessing_that_does_not_fit_the_input_is_refused():
    with pytest.raises(StepforwardError, match=r"\(1, 8, 8\), the network reads \(1, 6, 6\)"):
        load_data(model(preprocessing=stripes.PREPROCESSING, size=6), (X, np.arange(6) % 3), "test")


@pytest.mark.parametrize(("y", "match"), [(np.zeros(6, int), "one class only")])
def test_arrays_that_cannot_adapt_are_refused_but_can_be_measured(y, match):
    x = X[: len(y)]
    with pytest.raises(StepforwardError, match=match):
        load_data(model(), (x, y), "adapt")
    assert len(load_data(model(), (x, y), "test")) == len(y)


def test_data_may_hold_few_of_the_networks_classes():
    y = np.array([0, 0, 0, 2, 2, 2])
    assert len(load_data(model(class_names=stripes.NAMES), (X, y), "adapt")) == 6
    prepared = prepare(model(class_names=stripes.NAMES), (X, y), None, Settings(validation=0.34))
    assert set(prepared.train.y) == set(prepared.validation.y) == {0, 2}


def test_the_split_is_of_the_data_and_the_test_samples_stay_apart():
    data, test = (stripes.arrays(part) for part in (range(8), range(8, 12)))
    opened = model(class_names=stripes.NAMES)
    prepared = prepare(opened, (data["x"], data["y"]), (test["x"], test["y"]), Settings(validation=0.25))
    assert np.bincount(prepared.train.y).tolist() == [6, 6, 6]
    assert np.bincount(prepared.validation.y).tolist() == [2, 2, 2]
    assert len(prepared.test) == 12
    assert repeated(prepared) == 0
    mixed = np.concatenate([test["x"][:2], data["x"][:3]]), np.zeros(5, int)
    assert repeated(prepare(opened, (data["x"], data["y"]), mixed, Settings())) == 3


def test_the_split_of_a_file_takes_no_second_copy(tmp_path):
    data = stripes.arrays(range(8))
    np.savez(tmp_path / "d.npz", **data)
    opened = model(class_names=stripes.NAMES)
    kept = data["x"].copy()
    of_arrays = prepare(opened, (data["x"], data["y"]), None, Settings())
    of_file = prepare(opened, tmp_path / "d.npz", None, Settings())
    np.testing.assert_array_equal(data["x"], kept)  # the caller's own
    for part in ("train", "validation"):
        ours, theirs = getattr(of_file, part), getattr(of_arrays, part)
        np.testing.assert_array_equal(ours.x, theirs.x)
        np.testing.assert_array_equal(ours.y, theirs.y)
        assert [s.rpartition("[")[2].rstrip("]") for s in ours.sources] == [
            s.rpartition(" ")[2] for s in theirs.sources
        ]
    assert of_file.train.x.base is of_file.validation.x.base is not None


def test_adapting_to_a_file_takes_little_more_than_its_samples(tmp_path):
    x = np.tile(np.random.default_rng(0).normal(size=(300, 1, 64, 64)).astype(np.float32), (10, 1, 1, 1))
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(len(x)) % 3)
    size, opened = x.nbytes, model(size=64)
    del x
    tracemalloc.start()
    prepared = prepare(opened, tmp_path / "d.npz", None, Settings())
    program = lower(prepared.in_fixed_point(Settings()).network())
    integers = quantize_input(program, prepared.train.x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert integers.nbytes == prepared.train.x.nbytes / 4
    assert peak < 1.25 * size + 12 * BLOCK_BYTES
