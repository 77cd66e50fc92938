import io
import os
import unicodedata
import zipfile

import numpy as np
import pytest
import soundfile
from PIL import Image

from stepforward.data.load import load
from stepforward.errors import StepforwardError

IMAGE = {"kind": "image", "height": 4, "width": 4, "channels": 1, "mean": [0.0], "std": [1.0]}
SOUND = {
    "kind": "log_mel",
    "sample_rate": 8000,
    "samples": 1600,
    "window": 256,
    "hop": 160,
    "fft": 256,
    "mels": 16,
    "fmin": 60.0,
    "fmax": 4000.0,
    "mean": 0.0,
    "std": 1.0,
    "floor": 1e-6,
}
ARRAY = {"kind": "array"}
NAMES = ("dog", "cat", "bird")


def save_image(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(path)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    for position, name in enumerate(sorted(NAMES)):
        for take in range(2):
            save_image(folder / name / f"{take}.png", 100 * position + take)
    return folder


def refuses(match, path, settings=ARRAY, names=NAMES, **options):
    with pytest.raises(StepforwardError, match=match) as caught:
        load(path, settings, names, **options)
    assert caught.value.remedy
    return caught.value


def test_folder_in_the_models_order(images):
    (images / "cat" / "Thumbs.db").write_bytes(b"not a sample")
    (images / ".hidden").mkdir()
    data = load(images, IMAGE, NAMES)
    assert data.class_names == NAMES
    assert data.y.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.y.dtype == np.int64
    assert data.x.shape == (6, 1, 4, 4)
    assert data.x.dtype == np.float32
    assert data.sources == ("dog/0.png", "dog/1.png", "cat/0.png", "cat/1.png", "bird/0.png", "bird/1.png")
    np.testing.assert_array_equal(data.x[:, 0, 0, 0] * 255, np.float32([200, 201, 100, 101, 0, 1]))


def test_without_a_model_the_data_names_its_classes(images):
    assert load(images, IMAGE).class_names == ("bird", "cat", "dog")


def test_take_keeps_samples_labels_and_sources_together(images):
    taken = load(images, IMAGE, NAMES).take([5, 0])
    assert taken.y.tolist() == [2, 0]
    assert taken.sources == ("bird/1.png", "dog/0.png")
    assert len(taken) == 2


def test_sounds(tmp_path):
    for name in NAMES:
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.WAV", np.zeros(400), 16000, format="WAV")
    assert load(tmp_path, SOUND, NAMES).x.shape == (3, 1, 16, 10)


def test_one_damaged_file_among_good_ones_is_named(images):
    whole = (images / "cat" / "0.png").read_bytes()
    (images / "cat" / "0.png").write_bytes(whole[: len(whole) // 2])
    refuses(r"cat/0\.png.*not a readable", images, IMAGE)


def test_unknown_class_lists_the_models_and_guesses(images):
    (images / "bird").rename(images / "birds")
    error = refuses("no class 'birds'; did you mean 'bird'", images, IMAGE)
    assert "dog, cat, bird" in error.remedy


def test_absent_classes_are_fine_but_empty_folders_are_not(images):
    for file in (images / "bird").iterdir():
        file.unlink()
    refuses("bird holds no images this model reads", images, IMAGE, purpose="test")
    (images / "bird").rmdir()
    assert set(load(images, IMAGE, NAMES, purpose="test").y) == {0, 1}


def test_files_that_cannot_be_read_here_are_counted_and_named(images):
    for name in ("meow.flac", "one.heic", "two.HEIC", "notes.txt"):
        (images / "cat" / name).write_bytes(b"not an image")
    (images / "cat" / "._0.png").write_bytes(b"what a Mac leaves on other disks")
    save_image(images / "loose.png", 1)
    skipped, unlabelled = load(images, IMAGE, NAMES).notes
    assert "4 files are skipped (2 .heic, 1 .flac, 1 .txt)" in skipped
    assert "convert them to PNG or JPEG" in skipped
    assert "1 images are skipped that lie next to the class folders, such as loose.png" in unlabelled
    for file in (images / "cat").glob("*.png"):
        file.unlink()
    refuses(r"cat holds no images this model reads but 2 \.heic", images, IMAGE)


def test_content_counts_not_the_name(images):
    for number, ending in enumerate((".jfif", ".jpe", ".heic", "", ".dat")):
        Image.new("L", (4, 4), 50 * number).save(images / "dog" / f"p{number}{ending}", format="JPEG")
    data = load(images, IMAGE, NAMES)
    assert len(data) == 6 + 5
    assert data.notes == ()


def test_folders_inside_a_class_belong_to_it(images):
    save_image(images / "cat" / "session2" / "morning" / "0.png", 9)
    (images / "cat" / "session2" / "back").symlink_to(images / "cat")
    data = load(images, IMAGE, NAMES)
    assert data.sources[2:5] == ("cat/0.png", "cat/1.png", "cat/session2/morning/0.png")
    assert data.y.tolist() == [0, 0, 1, 1, 1, 2, 2]


def test_names_of_a_mac_are_the_same_names(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    for folder in (decomposed, "tea"):
        save_image(tmp_path / folder / "0.png", 1)
    assert load(tmp_path, IMAGE, (composed, "tea")).y.tolist() == [0, 1]
    assert load(tmp_path, IMAGE, (decomposed, "tea")).class_names == (decomposed, "tea")
    assert load(tmp_path, IMAGE).class_names == (composed, "tea")
    arrays = {"x": GOOD["x"], "y": np.array([1, 0, 0]), "class_names": np.array(["tea", decomposed])}
    assert load(saved(tmp_path, **arrays), ARRAY, (composed, "tea")).y.tolist() == [0, 1, 1]


def test_dark_deep_images_and_large_crops_are_said(tmp_path):
    for name in NAMES:
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((4, 12), 1000, np.uint16)).save(tmp_path / name / "a.png")
    crop, dark = load(tmp_path, IMAGE, NAMES).notes
    assert "cuts away 67% of the image area" in crop
    assert "largest value of 3 16-bit images is 1,000 of 65,535" in dark
    assert '"levels": 1023' in dark
    assert load(tmp_path, IMAGE | {"fit": "squash", "levels": 1023}, NAMES).notes == ()
    (note,) = load(tmp_path, IMAGE | {"fit": "squash", "levels": 255}, NAMES).notes
    assert "values up to 1,000 are above levels, 255" in note


def test_remarks_of_the_reader_are_counted(images):
    for name in ("a.png", "b.png"):
        Image.new("LA", (4, 4)).save(images / "cat" / name)
    (note,) = load(images, IMAGE, NAMES).notes
    assert "2 files, such as cat/a.png: transparent parts" in note


def test_amounts_that_cannot_adapt_are_refused(tmp_path):
    save_image(tmp_path / "dog" / "a.png", 1)
    refuses("one class only", tmp_path, IMAGE)
    save_image(tmp_path / "cat" / "a.png", 1)
    assert len(load(tmp_path, IMAGE, NAMES)) == 2
    assert len(load(tmp_path, IMAGE, NAMES, purpose="test")) == 2


def test_missing_flat_and_foreign_paths(tmp_path, images):
    refuses("does not exist", tmp_path / "nowhere", IMAGE)
    refuses("no sub-folders: 2 images without labels", images / "cat", IMAGE)
    refuses("ready-made arrays", images, ARRAY)
    refuses("neither a folder", images / "cat" / "0.png", IMAGE)


def test_csv_with_and_without_header(images):
    rows = "cat/0.png,cat\n\ndog/1.png , dog\nbird/0.png,bird\n"
    (images / "plain.csv").write_text(rows)
    (images / "headed.csv").write_text("\ufeffPath,Label\n" + rows, encoding="utf-8")
    plain, headed = (load(images / name, IMAGE, NAMES) for name in ("plain.csv", "headed.csv"))
    assert plain.y.tolist() == [1, 0, 2]
    assert plain.sources == ("cat/0.png", "dog/1.png", "bird/0.png")
    np.testing.assert_array_equal(plain.x, headed.x)
    assert plain.sources == headed.sources


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"cat/0.png,cat\ncat/1.png\n", "line 2: 'cat/1.png' is not a path and a label"),
        (b"cat/0.png,cat,extra\n", "line 1"),
        (b"path,label\ncat/0.png,\n", "line 2"),
        (b"cat/0.png,cat\ncat/9.png,cat\n", r"1 of 2 files are not there \(line 2: cat/9\.png\)"),
        (b"cat/0.png,cat\ndog/0.png,wolf\n", "line 2: the model has no class 'wolf'"),
        (b"\xff\xfe\x00", "cannot be read as a CSV"),
        (b'"cat/0.png,cat\n', "cannot be read as a CSV"),
        (b"", "holds no samples"),
        (b"path,label\n", "holds no samples"),
    ],
)
def test_broken_csv_rows_have_line_numbers(images, text, match):
    (images / "list.csv").write_bytes(text)
    refuses(match, images / "list.csv", IMAGE)


@pytest.mark.parametrize(
    "text",
    [
        "cat/0.png;cat\ndog/1.png;dog\nbird/0.png;bird\n",
        "cat\\0.png,cat\ndog\\1.png,dog\nbird\\0.png,bird\n",
        "'cat/0.png',cat\n'dog/1.png',dog\n'bird/0.png',bird\n".replace("'", chr(34)),
        "id\tclass\tfilename\n1\tcat\tcat/0.png\n2\tdog\tdog/1.png\n3\tbird\tbird/0.png\n",
        "File,Label\r\ncat/0.png,cat\r\ndog/1.png,dog\r\nbird/0.png,bird\r\n",
    ],
    ids=["semicolons", "backslashes", "quotes", "more columns", "Windows lines"],
)
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csvs_as_spreadsheets_write_them(images, text, coding):
    (images / "list.csv").write_bytes(text.encode(coding))
    data = load(images / "list.csv", IMAGE, NAMES)
    assert data.y.tolist() == [1, 0, 2]
    np.testing.assert_array_equal(data.x[:, 0, 0, 0] * 255, np.float32([100, 201, 0]))


def test_a_csv_of_measurements_is_regression(images):
    (images / "list.csv").write_text("cat/0.png,0.25\ncat/1.png,1.5\ndog/0.png,2.75\n")
    error = refuses("labels are numbers such as 0.25: regression", images / "list.csv", IMAGE)
    assert "classifiers" in error.remedy


def test_what_lies_a_folder_too_high_is_named(tmp_path):
    for part in ("train", "val"):
        for name in NAMES:
            save_image(tmp_path / part / name / "0.png", 1)
    error = refuses("holds train, val in place of classes; .*train holds classes", tmp_path, IMAGE)
    assert error.remedy == f"give {tmp_path / 'train'}"


def test_a_single_array_is_told_its_partner(tmp_path):
    np.save(tmp_path / "x.npy", GOOD["x"])
    assert "savez" in refuses("is one array", tmp_path / "x.npy").remedy


def test_case_does_not_hide_the_class_that_was_meant(images):
    (images / "bird").rename(images / "BIRD")
    refuses("no class 'BIRD'; did you mean 'bird'", images, IMAGE)


def test_damaged_file_of_a_csv_has_its_line(images):
    (images / "cat" / "0.png").write_bytes(b"")
    (images / "list.csv").write_text("dog/0.png,dog\ncat/0.png,cat\n")
    refuses(r"list\.csv, line 2: .*cat/0\.png", images / "list.csv", IMAGE)


GOOD = {"x": np.arange(48, dtype=np.float32).reshape(3, 1, 4, 4), "y": np.array([2, 0, 1])}


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "data.npz", **arrays)
    return tmp_path / "data.npz"


def test_npz(tmp_path):
    data = load(saved(tmp_path, **GOOD), ARRAY, NAMES, input_shape=(1, 4, 4))
    np.testing.assert_array_equal(data.x, GOOD["x"])
    assert data.y.tolist() == [2, 0, 1]
    assert data.sources == ("data.npz[0]", "data.npz[1]", "data.npz[2]")
    assert load(saved(tmp_path, **GOOD), ARRAY).class_names == ("0", "1", "2")


def test_npz_classes_are_matched_by_name(tmp_path):
    path = saved(tmp_path, **GOOD, class_names=np.array(["bird", "cat", "dog"]))
    assert load(path, ARRAY, NAMES).y.tolist() == [0, 2, 1]
    assert load(path, ARRAY).class_names == ("bird", "cat", "dog")
    path = saved(tmp_path, **GOOD, class_names=np.array(["bird", "cat", "cow"]))
    refuses("no class 'cow'", path)


def test_npz_of_images_goes_through_the_preprocessing(tmp_path):
    pixels = np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8, 1)
    data = load(saved(tmp_path, x=pixels, y=GOOD["y"]), IMAGE, NAMES)
    assert data.x.shape == (3, 1, 4, 4)
    assert data.notes == ()
    for same in (pixels[..., 0], pixels.transpose(0, 3, 1, 2), pixels.astype(np.int64)):
        np.testing.assert_array_equal(load(saved(tmp_path, x=same, y=GOOD["y"]), IMAGE, NAMES).x, data.x)
    refuses("shape", saved(tmp_path, x=pixels.reshape(3, 4, 4, 4), y=GOOD["y"]), IMAGE)
    refuses("values from 0 to 1910", saved(tmp_path, x=pixels.astype(int) * 10, y=GOOD["y"]), IMAGE)


def test_deep_images_of_an_npz_keep_their_bits_and_are_said_to_be_dark(tmp_path):
    pixels = np.full((3, 4, 4), 1000, np.uint16)
    data = load(saved(tmp_path, x=pixels, y=GOOD["y"]), IMAGE, NAMES)
    np.testing.assert_allclose(data.x, 1000 / 65535, rtol=1e-6)
    assert "almost black" in data.notes[-1]


def test_floats_that_look_like_pixels_are_said(tmp_path):
    (note,) = load(saved(tmp_path, x=GOOD["x"] * 5, y=GOOD["y"]), IMAGE, NAMES).notes
    assert "values up to 235 and taken as it is" in note


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (GOOD["x"][:, 0], "a channel axis is added"),
        (GOOD["x"].reshape(3, 16), "4 lines of 4 values"),
        (GOOD["x"].transpose(0, 2, 3, 1), "the last axis, channels, becomes the first"),
    ],
)
def test_shapes_of_one_reading_only_are_taken_and_said(tmp_path, x, said):
    data = load(saved(tmp_path, x=x, y=GOOD["y"]), ARRAY, NAMES, input_shape=(1, 4, 4))
    np.testing.assert_array_equal(data.x, GOOD["x"])
    assert said in data.notes[0]


def test_shapes_of_several_readings_are_refused(tmp_path):
    x = np.zeros((3, 48), np.float32)
    refuses("the model reads", saved(tmp_path, x=x, y=GOOD["y"]), input_shape=(3, 4, 4))


@pytest.mark.parametrize(
    "names",
    [("images", "labels"), ("x_train", "y_train"), ("data", "target"), ("X", "y"), ("arr_0", "arr_1")],
)
def test_other_names_of_one_reading_only_are_taken_and_said(tmp_path, names):
    data = load(saved(tmp_path, **dict(zip(names, GOOD.values(), strict=True))), ARRAY, NAMES)
    np.testing.assert_array_equal(data.x, GOOD["x"])
    assert f"{names[0]} is read as the samples x, {names[1]} as the labels y" in data.notes[0]


def test_two_pairs_are_refused_by_name(tmp_path):
    parts = {f"{name}_{part}": array for name, array in GOOD.items() for part in ("train", "test")}
    refuses(r"more than one x or y \(arrays: x_train", saved(tmp_path, **parts))


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.array([2.0, 0.0, 1.0]), "whole numbers read as class numbers"),
        (np.array([[2], [0], [1]]), "one label per sample"),
        (np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), "is one-hot"),
        (np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), "is one-hot"),
        (np.array(["bird", "dog", "cat"]), ""),
        (np.array([2, 0, 1], np.uint8), ""),
    ],
)
def test_labels_that_can_only_be_classes_are_taken_and_said(tmp_path, y, said):
    data = load(saved(tmp_path, x=GOOD["x"], y=y), ARRAY, NAMES)
    assert data.y.tolist() == [2, 0, 1]
    assert data.y.dtype == np.int64
    assert said in " ".join(data.notes)


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (np.array([0.5, 1.25, 3.0]), "regression"),
        (np.array([np.nan, 1.0, 3.0]), "regression"),
        (np.array([[0, 1, 1], [1, 0, 0], [0, 1, 0]]), "multi-label: sample 0 has 2 labels"),
        (np.array([[0.2, 0.8, 0], [1, 0, 0], [0, 1, 0]]), "soft labels"),
        (np.array([[7, 8], [9, 1], [2, 3]]), "2 values per sample"),
        (np.zeros((3, 4, 4), int), "labels of pixels"),
        (np.array([[0, 1], [1, 0], [0, 1]]), "one-hot for 2 classes, and there are 3"),
        (np.array(["bird", "dog", "cow"]), "no class 'cow'"),
        (np.array([1j, 2, 3]), "y is complex128, not class numbers"),
    ],
)
def test_labels_of_other_tasks_are_refused_by_name(tmp_path, y, task):
    error = refuses(task, saved(tmp_path, x=GOOD["x"], y=y))
    assert "class" in error.remedy


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (
            np.frombuffer(np.array([0x61, 0x110000, 0x62], "<u4").tobytes(), "<U1"),
            r"class_names\[1\] is no text",
        ),
        (
            np.frombuffer(np.array([0x61, 0xD800, 0x62], "<u4").tobytes(), "<U1"),
            r"class_names\[1\] is no text",
        ),
        (np.array(["dog", "", "bird"]), r"class_names\[1\] is empty"),
        (np.array(["dog", "dog", "bird"]), "'dog' appears twice"),
    ],
)
def test_class_names_that_are_no_names_are_refused(tmp_path, names, fault):
    refuses(fault, saved(tmp_path, **GOOD, class_names=names))


def nan_at(row):
    x = GOOD["x"].copy()
    x[row, 0, 1, 1] = np.nan
    return x


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"x": GOOD["x"]}, r"no array 'y' \(arrays: x \(3, 1, 4, 4\)\): samples without labels"),
        ({"x": GOOD["x"][:2], "y": GOOD["y"]}, "2 samples but y 3 labels"),
        ({"x": np.float32(1), "y": GOOD["y"]}, "no samples but y 3 labels"),
        ({"x": GOOD["x"][:0], "y": GOOD["y"][:0]}, "holds no samples"),
        ({"x": GOOD["x"].astype(np.int32), "y": GOOD["y"]}, "x is int32"),
        ({"x": GOOD["x"].astype(np.uint8), "y": GOOD["y"]}, "x is uint8"),
        ({"x": GOOD["x"][:, 0, 0], "y": GOOD["y"]}, r"shape \(3, 4\); the model reads \(N, 1, 4, 4\)"),
        ({"x": GOOD["x"][:, :, :3], "y": GOOD["y"]}, "the model reads"),
        ({"x": GOOD["x"], "y": np.array([0, 3, 1])}, "label 3 of sample 1 is outside 0 .. 2"),
        ({"x": GOOD["x"], "y": np.array([0, 1, -1])}, "label -1 of sample 2"),
        ({"x": nan_at(1), "y": GOOD["y"]}, "sample 1 holds NaN or Inf"),
        ({"x": np.full((3, 1, 4, 4), 1e300), "y": GOOD["y"]}, "sample 0 holds NaN or Inf"),
        ({"x": np.array([None] * 3), "y": GOOD["y"]}, "object arrays are never loaded|cannot be read"),
        ({**GOOD, "class_names": np.array([1, 2, 3])}, "class_names is int64"),
    ],
)
def test_broken_npz_content_is_named(tmp_path, arrays, match):
    refuses(match, saved(tmp_path, **arrays), input_shape=(1, 4, 4))


def test_files_that_are_no_npz(tmp_path):
    whole = io.BytesIO()
    np.savez_compressed(whole, **GOOD)
    whole = bytearray(whole.getvalue())
    path = tmp_path / "data.npz"
    path.write_bytes(b"")
    refuses("cannot be read as an .npz", path)
    path.write_bytes(whole[: len(whole) // 2])
    refuses("cannot be read as an .npz", path)
    whole[80] ^= 0xFF
    path.write_bytes(whole)
    refuses("cannot be read as an .npz", path)
    np.save(tmp_path / "one.npy", GOOD["x"])
    path.write_bytes((tmp_path / "one.npy").read_bytes())
    refuses("cannot be read as an .npz", path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"no array")
        archive.writestr("y.npy", b"no array")
    refuses("cannot be read as an .npz", path)


def test_a_message_names_a_file_once_and_pipes_are_passed_over(images):
    os.mkfifo(images / "cat" / "pipe.png")  # reading it would wait for ever
    assert len(load(images, IMAGE, NAMES)) > 0
    (images / "cat" / "zz.png").write_bytes(b"no image")
    with pytest.raises(StepforwardError) as caught:
        load(images, IMAGE, NAMES)
    assert caught.value.what.count("zz.png") <= 2  # ours, and the decoder's reason
    assert caught.value.what.startswith(f"{images / 'cat' / 'zz.png'} is not")
