"""Recordings as a CSV of samples by time and channel: windows of one label, and one line for whatever is wrong."""

import numpy as np
import pytest

from stepforward.data.load import load
from stepforward.data.preprocessing import check_preprocessing, laid_out
from stepforward.data.windows import is_recording, read_unlabelled, settings_for
from stepforward.errors import StepforwardError

SETTINGS = {"kind": "windows", "length": 3, "stride": 3, "columns": ["ax", "az"]}


def recording(folder, rows, header="time,ax,ay,az,label", name="motion.csv"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def motion(tmp_path):
    """Seven rows of walking, two of sitting, four of walking, three of sitting."""
    labels = ["walk"] * 7 + ["sit"] * 2 + ["walk"] * 4 + ["sit"] * 3
    return recording(tmp_path, [f"{i / 50},{i},{-i},{i / 10},{label}" for i, label in enumerate(labels)])


def test_windows_have_one_label_and_the_named_columns(motion):
    found = load(motion, SETTINGS)
    assert found.class_names == ("sit", "walk") and found.x.shape == (4, 2, 3) and found.x.dtype == np.float32
    assert found.y.tolist() == [1, 1, 1, 0]
    np.testing.assert_array_equal(found.x[2], np.array([[9, 10, 11], [0.9, 1.0, 1.1]], np.float32))
    assert found.sources[0] == "motion.csv, line 2" and found.sources[2] == "motion.csv, line 11"
    assert found.notes == (
        f"{motion}: 1 of 4 stretches of one label are shorter than 3 rows and give no window",
    )


def test_a_stride_below_the_length_overlaps_and_says_so(motion):
    found = load(motion, SETTINGS | {"stride": 1})
    assert found.y.tolist() == [1] * 5 + [1] * 2 + [0]
    assert any("windows overlap (stride 1, length 3)" in note for note in found.notes)


def test_time_first_scaled_and_in_the_order_of_the_settings(motion):
    scaled = SETTINGS | {
        "columns": ["az", "ax"],
        "mean": [0.5, 1.0],
        "std": [0.1, 2.0],
        "channels_last": True,
    }
    found = load(motion, scaled)
    assert found.x.shape == (4, 3, 2)
    np.testing.assert_allclose(found.x[0], [[-5, -0.5], [-4, 0], [-3, 0.5]], atol=1e-6)


def test_a_group_divides_recordings(tmp_path):
    rows = [f"{i},{i // 2},a" for i in range(6)] + ["9,9,b"] * 3
    path = recording(tmp_path, rows, "x;person;label".replace(";", ","))
    one = {"kind": "windows", "length": 2, "stride": 1, "columns": ["x"]}
    assert len(load(path, one)) == 5 + 2
    assert len(load(path, one | {"group": "person"})) == 3 + 2


def test_the_models_class_order_and_unknown_labels(motion):
    assert load(motion, SETTINGS, ["walk", "sit"]).y.tolist() == [0, 0, 0, 1]
    with pytest.raises(StepforwardError, match="'sit'"):
        load(motion, SETTINGS, ["walk", "run"])


def test_samples_without_labels(motion):
    x, sources = read_unlabelled(motion, SETTINGS)
    assert x.shape == (5, 2, 3) and sources[1] == "motion.csv, line 5"


def test_settings_that_a_recording_suggests(motion, tmp_path):
    assert is_recording(motion)
    columns = ["time", "ax", "ay", "az"]
    expected = {"kind": "windows", "length": 8, "stride": 8, "columns": columns, "label": "label"}
    assert settings_for(motion, (4, 8)) == settings_for(motion, (8, 4)) == expected
    assert laid_out(check_preprocessing(expected), (8, 4), False)["channels_last"] is True
    assert settings_for(motion, (3, 8))["columns"] == ["ax", "ay", "az"]  # the clock is no channel
    assert settings_for(motion, (5, 8)) is None
    assert not is_recording(recording(tmp_path, ["a.png,walk"], "path,label", "list.csv"))


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (["0,1,2,x,walk"] * 3, {}, "line 2: az is 'x', not a number"),
        (["0,1,2,nan,walk"] * 3, {}, "line 2: az is 'nan', not a number"),
        (["0,1,2,3,walk"] * 2, {}, "has no 3 rows of one label after each other; the longest stretch has 2"),
        (["0,1,2,walk"] * 3, {}, "line 2 has 4 fields, and the header names 5 columns"),
        ([], {}, "has no rows below a header"),
        (["0,1,2,3,walk"] * 3, {"columns": ["gx"]}, "has no column 'gx'"),
        (["0,1,2,3,walk"] * 3, {"label": "what"}, "has no column of labels"),
        (["0,1,2,3,walk"] * 3, {"group": "who"}, "has no column 'who'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, rows, settings, message):
    with pytest.raises(StepforwardError, match=message):
        load(recording(tmp_path, rows), SETTINGS | settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": []}, "columns is"),
        ({"columns": ["a", "a"]}, "different names"),
        ({"length": 0}, "length is 0"),
        ({"std": [1.0, 0.0]}, "std is"),
        ({"mean": [1.0]}, "one number per column"),
        ({"label": "ax"}, "not the name of another column"),
        ({"length": 2**24, "columns": ["a", "b", "c"]}, "beyond all memory"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(StepforwardError, match=message):
        check_preprocessing(SETTINGS | settings)


def test_a_folder_is_refused_with_what_to_give(tmp_path):
    (tmp_path / "walk").mkdir()
    with pytest.raises(StepforwardError, match="reads windows of a recording"):
        load(tmp_path, SETTINGS)
