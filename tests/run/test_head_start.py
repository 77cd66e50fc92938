"""A closed-form start of the last layer: where it helps, recorded, resumed and replayed to the same bits."""

import numpy as np
import pytest
import stripes
from resumed import resume_and_replay

from stepforward import journal as journals
from stepforward.errors import StepforwardError
from stepforward.settings import Settings
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay

DATA = tuple(stripes.arrays(range(10)).values())
TEST = tuple(stripes.arrays(range(10, 14)).values())
OPTIONS = {"steps": 20, "lr": 1e-3, "directions": 2, "evaluate_every": 5, "head_start": "ridge"}
CASES = [
    {},
    {"tail": "exact", "train": "head"},
    {"votes": "graded", "sizes": "relative", "head_start": "means"},
    {"bits": "8w8a", "low_bits": "fraction-8", "tail": "exact"},
    {"bits": "8w8a", "low_bits": "master"},
    {"bits": "4w8a", "low_bits": "master"},
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    (folder / "float.onnx").write_bytes(stripes.network().SerializeToString())
    for bits in ("16w8a", "8w8a", "4w8a"):
        quantize(folder / "float.onnx", DATA, out=folder / f"{bits}.onnx", bits=bits)
    return folder


def test_a_run_begins_with_the_better_layer_and_says_so(base, tmp_path):
    result = adapt(base / "16w8a.onnx", DATA, test=TEST, out=tmp_path / "run", **OPTIONS)
    start = result["head_start"]
    assert start["kept"].startswith("least squares")
    assert start["loss_after"] < start["loss_before"]
    assert result["curve"][0]["validation_loss"] == pytest.approx(start["loss_after"])
    assert result["zero_shot_accuracy"] == evaluate(base / "16w8a.onnx", TEST)["accuracy"]
    assert start["forward_passes"] == len(DATA[1])
    assert "head start" in repr(result)
    measured = evaluate(tmp_path / "run" / "adapted.onnx", TEST)
    assert measured["accuracy"] == result["adapted_accuracy"]
    assert measured["weights_sha256"] == result["weights_sha256"]


def test_auto_keeps_a_start_that_halves_the_held_out_loss_and_no_other(base, tmp_path):
    """A base whose last layer is sure of what is wrong, and the one it was."""
    wave = np.sin(np.arange(192) * 0.7).astype(np.float32).reshape(3, 64)
    (tmp_path / "sure.onnx").write_bytes(stripes.network(**{"head.weight": 20 * wave}).SerializeToString())
    quantize(tmp_path / "sure.onnx", DATA, out=tmp_path / "sure-16w8a.onnx", bits="16w8a")
    options = OPTIONS | {"head_start": "auto"}
    usual, sure = (
        adapt(model, DATA, **options) for model in (base / "16w8a.onnx", tmp_path / "sure-16w8a.onnx")
    )
    assert usual["head_start"]["kept"] == "base: no start halved the held-out loss"
    assert sure["head_start"]["loss_after"] <= sure["head_start"]["loss_before"] / 2
    assert sure["head_start"]["kept"].startswith(("least squares", "class means"))


def test_auto_makes_no_layer_of_four_bits(base):
    result = adapt(base / "4w8a.onnx", DATA, **OPTIONS | {"head_start": "auto", "low_bits": "master"})
    assert "too coarse" in result["head_start"]["kept"]


def test_the_last_layer_alone_has_a_start_unless_it_is_refused():
    found = [Settings(train=train).head_start for train in ("head", "last:2", "all")]
    assert found == ["auto", "none", "none"]
    assert Settings(train="head", head_start="none").head_start == "none"
    assert Settings(train="head", method="backprop").head_start == "none"


@pytest.mark.parametrize("options", CASES, ids=str)
def test_resume_and_replay_give_the_same_file(base, tmp_path, options):
    model = base / f"{options.get('bits', '16w8a')}.onnx"
    recorded = resume_and_replay(model, DATA, tmp_path, OPTIONS | options)
    assert recorded.start is not None


def test_a_float_model_keeps_its_base_without_the_start(base, tmp_path):
    result = adapt(base / "float.onnx", DATA, out=tmp_path / "run", **OPTIONS)
    assert result["head_start"]["loss_after"] is not None
    again = replay(tmp_path / "run" / "base.onnx", tmp_path / "run" / "journal")
    assert again["weights_sha256"] == result["weights_sha256"]
    assert again["base_sha256"] == result["base_sha256"]


def test_where_the_last_layer_stays_or_a_class_is_missing_the_base_is_kept(base):
    plain = OPTIONS | {"head_start": "none"}
    some = DATA[1] != 0
    for data, options, why in (
        (DATA, {"train": "conv*"}, "does not move"),
        ((DATA[0][some], DATA[1][some]), {}, "1 of 3 classes have no samples"),
    ):
        result = adapt(base / "16w8a.onnx", data, **OPTIONS | options)
        assert why in result["head_start"]["kept"]
        assert (
            result["weights_sha256"] == adapt(base / "16w8a.onnx", data, **plain | options)["weights_sha256"]
        )


def test_a_run_whose_steps_do_not_help_returns_the_start(base):
    result = adapt(
        base / "16w8a.onnx", DATA, **OPTIONS | {"lr": 0.3, "epsilon": 0.1, "train": "conv*,head*", "steps": 3}
    )
    assert (result["kept_step"], result["kept"]) == (0, "head start: no step helped")
    assert any("returned with its head start" in note for note in result["notes"])


def changed(path, tmp_path, start, **settings):
    """The journal of a run with another start, ended at once."""
    recorded = journals.read(path)
    writer = journals.JournalWriter.create(
        tmp_path / "journal", recorded.settings | settings, recorded.directions
    )
    writer.parameters(journals.Parameters(0, start(recorded.start)))
    writer.end(0, journals.REASONS[0])
    writer.close()
    return tmp_path / "journal"


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (lambda s: s[:3], "cut short"),
        (lambda s: s[:-1], "another number of weights"),
        (lambda s: b"\x09" + s[1:], "cannot grow"),
        (lambda s: s[:4] + b"\0\x80" * ((len(s) - 4) // 2), "out of range"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(base, tmp_path, start, why):
    adapt(base / "16w8a.onnx", DATA, out=tmp_path / "run", **OPTIONS)
    with pytest.raises(StepforwardError, match=why):
        replay(base / "16w8a.onnx", changed(tmp_path / "run" / "journal", tmp_path, start))


def test_a_start_in_a_run_without_one_or_of_other_samples_is_refused(base, tmp_path):
    adapt(base / "16w8a.onnx", DATA, out=tmp_path / "run", **OPTIONS)
    path = tmp_path / "run" / "journal"
    (tmp_path / "none").mkdir()
    none = changed(path, tmp_path / "none", lambda s: s, head_start="none")
    with pytest.raises(StepforwardError, match="without a head start"):
        replay(base / "16w8a.onnx", none)
    other = changed(path, tmp_path, lambda s: s[:-1] + bytes([s[-1] ^ 1]))
    path.write_bytes(other.read_bytes())
    with pytest.raises(StepforwardError, match="does not begin as these samples make it"):
        adapt(base / "16w8a.onnx", DATA, out=tmp_path / "run", resume=True, **OPTIONS)


def test_backpropagation_has_no_head_start():
    with pytest.raises(StepforwardError, match="head_start = 'ridge', with method = 'backprop'"):
        adapt("model.onnx", "data", method="backprop", head_start="ridge")


def test_samples_are_as_the_layer_reads_them(base):
    """A start made of repeated samples is that of the samples."""
    twice = tuple(np.concatenate([part, part]) for part in DATA)
    result = adapt(base / "16w8a.onnx", twice, **OPTIONS)
    assert result["head_start"]["loss_after"] < result["head_start"]["loss_before"]
