"""A start of the biases: what each does is what the network does, the start helps, is recorded, resumed, replayed."""

from types import SimpleNamespace

import numpy as np
import pytest
import stripes
import torch
from resumed import resume_and_replay
from torch import nn

from stepforward import journal as journals
from stepforward.engines.protocol import Batch
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.program.weights import pack_all, unpack_all
from stepforward.run.bias_changes import changes, places
from stepforward.run.notes import unmoved
from stepforward.settings import Settings
from stepforward.sources.open import open_source
from stepforward.sources.torch import from_torch
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay

DATA = tuple(stripes.arrays(range(14)).values())
TEST = tuple(stripes.arrays(range(14, 20)).values())
OPTIONS = {"train": "bias", "steps": 40, "evaluate_every": 10, "first_stage": "none", "ranges": "given"}
CASES = [
    {},
    {"train": "all", "bias_start": "linear", "tail": "exact"},
    {
        "train": "all",
        "bias_start": "linear",
        "head_start": "means",
        "first_stage": "match",
        "ranges": "samples",
    },
    {"bits": "8w8a", "bias_start": "linear", "train": "all", "low_bits": "master"},
    {"votes": "sign", "sizes": "absolute", "lr": 1e-3, "epsilon": 1e-3},
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    (folder / "float.onnx").write_bytes(stripes.network().SerializeToString())
    for bits in ("16w8a", "8w8a"):
        quantize(folder / "float.onnx", DATA, out=folder / f"{bits}.onnx", bits=bits)
    return folder


def test_changes_are_those_of_the_definition(base):
    program = lower(open_source(base / "16w8a.onnx").network())
    of = places(program, range(program.parameter_count))
    assert sum(len(place.tried) for place in of) == 7
    x = quantize_input(program, DATA[0][:5])
    plain, values = ReferenceEngine(program).outputs(Batch.of(x))[0], unpack_all(program)
    for place, found in zip(of, changes(program, of, x, plain.astype(np.int32), 2), strict=True):
        for number, far in enumerate(place.tried):
            for sign in (1, -1):
                moved = values[place.tensor].copy()
                moved.reshape(-1)[number] += sign * far
                engine = ReferenceEngine(program)
                engine.restore(engine.snapshot()._replace(weights=pack_all(program, {place.tensor: moved})))
                exact = sign * (engine.outputs(Batch.of(x))[0] - plain)
                rows = np.arange(len(x)) % 2 == (sign < 0)
                assert (found[number][rows] == exact[rows]).all()


def test_a_run_begins_with_better_biases_and_says_so(base, tmp_path):
    result = adapt(base / "16w8a.onnx", DATA, test=TEST, out=tmp_path / "run", **OPTIONS)
    start = result["bias_start"]
    assert start["kept"].startswith("7 biases moved at once")
    assert start["loss_after"] < start["loss_before"]
    assert result["curve"][0]["validation_loss"] == pytest.approx(start["loss_after"])
    assert result["zero_shot_accuracy"] == evaluate(base / "16w8a.onnx", TEST)["accuracy"]
    assert 0 < start["forward_passes"] <= result["forward_passes"] + 7 * 9
    assert "bias start" in repr(result)
    measured = evaluate(tmp_path / "run" / "adapted.onnx", TEST)
    assert measured["accuracy"] == result["adapted_accuracy"]
    assert measured["weights_sha256"] == result["weights_sha256"]


@pytest.mark.parametrize("options", CASES, ids=str)
def test_resume_and_replay_give_the_same_file(base, tmp_path, options):
    model = base / f"{options.get('bits', '16w8a')}.onnx"
    recorded = resume_and_replay(model, DATA, tmp_path, OPTIONS | options)
    assert recorded.biases is not None


def test_so_they_do_where_changes_are_carried(tmp_path):
    torch.manual_seed(5)
    module = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten())
    module.append(nn.Linear(24, 3))
    model = quantize(from_torch(module, torch.zeros(1, 1, 8, 8)), DATA, out=tmp_path / "model.onnx")
    program = lower(open_source(model).network())
    assert [place.carried for place in places(program, range(program.parameter_count))] == [True, True, False]
    recorded = resume_and_replay(tmp_path / "model.onnx", DATA, tmp_path, OPTIONS | {"bias_start": "linear"})
    assert recorded.biases is not None


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ((), "the base is returned unchanged"),
        (("matched",), "the matched base is returned"),
        (("bias start",), "the base is returned with its bias start"),
        (
            ("matched", "finer steps", "head start"),
            "the matched base is returned with its finer steps and its head start",
        ),
    ],
)
def test_a_run_that_no_step_helped_says_what_it_returns(stages, words):
    best = SimpleNamespace(step=0)
    (note,) = unmoved(SimpleNamespace(best=best), stages)
    assert note.endswith(words)


def test_threads_change_nothing(base):
    found = {
        adapt(base / "16w8a.onnx", DATA, threads=threads, **OPTIONS)["weights_sha256"] for threads in (1, 2)
    }
    assert len(found) == 1


def test_biases_alone_have_a_start_unless_it_is_refused():
    found = [Settings(train=train).bias_start for train in ("bias", "all", "head", "last:2")]
    assert found == ["auto", "none", "none", "none"]
    assert Settings(train="bias", bias_start="none").bias_start == "none"
    assert Settings(train="bias", method="backprop").bias_start == "none"
    with pytest.raises(StepforwardError, match="bias_start = 'linear', with method = 'backprop'"):
        Settings(bias_start="linear", method="backprop")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"train": "conv.weight", "bias_start": "linear"}, "no bias moves"),
        ({"steps": 1, "directions": 1, "evaluate_every": 1}, "more passes than the steps"),
    ],
)
def test_where_there_can_be_none_the_base_is_kept(base, options, why):
    result = adapt(
        base / "16w8a.onnx", DATA, **{k: v for k, v in (OPTIONS | options).items() if v is not None}
    )
    assert why in result["bias_start"]["kept"]
    assert result["bias_start"]["loss_after"] is None


def test_a_run_of_minutes_takes_all_of_them_for_steps(base):
    result = adapt(base / "16w8a.onnx", DATA, train="bias", minutes=0.01)
    assert "bias_start" not in result
    assert result["settings"]["bias_start"] == "none"
    asked = adapt(base / "16w8a.onnx", DATA, train="bias", minutes=0.01, bias_start="linear")
    assert asked["bias_start"]["forward_passes"] > 0


def test_few_samples_say_too_little_of_many_biases_unless_they_are_asked(base):
    few = tuple(part[::6] for part in DATA)
    options = OPTIONS | {"validation": 0.5}
    assert "say too little of 7 biases" in adapt(base / "16w8a.onnx", few, **options)["bias_start"]["kept"]
    asked = adapt(base / "16w8a.onnx", few, **options, bias_start="linear")["bias_start"]
    assert asked["forward_passes"] > 0


def test_a_start_of_fewer_samples_takes_what_passes_allow(base):
    options = OPTIONS | {"steps": 10, "directions": 1, "evaluate_every": 10, "bias_start": "linear"}
    result = adapt(base / "16w8a.onnx", DATA, **options)
    assert 100 < result["bias_start"]["forward_passes"] <= result["forward_passes"] + 7 * 9


def changed(path, tmp_path, start, **settings):
    """The journal of a run with another start, ended at once."""
    recorded = journals.read(path)
    writer = journals.JournalWriter.create(
        tmp_path / "journal", recorded.settings | settings, recorded.directions
    )
    writer.biases(start(recorded.biases))
    writer.end(0, journals.REASONS[0])
    writer.close()
    return tmp_path / "journal"


def test_a_start_that_does_not_fit_or_is_of_other_samples_is_refused(base, tmp_path):
    adapt(base / "16w8a.onnx", DATA, out=tmp_path / "run", **OPTIONS)
    path = tmp_path / "run" / "journal"
    for number, (start, settings, why) in enumerate(
        [
            (lambda b: b[:-1], {}, "does not fit the model .they are cut short"),
            (lambda b: b, {"bias_start": "none"}, "in a run without a bias start"),
        ]
    ):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(StepforwardError, match=why):
            replay(base / "16w8a.onnx", changed(path, tmp_path / str(number), start, **settings))
    other = changed(path, tmp_path, lambda b: b[:-1] + bytes([b[-1] ^ 1]))
    path.write_bytes(other.read_bytes())
    with pytest.raises(StepforwardError, match="its biases do not begin as these samples make them"):
        adapt(base / "16w8a.onnx", DATA, out=tmp_path / "run", resume=True, **OPTIONS)


def test_two_starts_of_biases_are_no_journal(base, tmp_path):
    adapt(base / "16w8a.onnx", DATA, out=tmp_path / "run", **OPTIONS)
    recorded = journals.read(tmp_path / "run" / "journal")
    writer = journals.JournalWriter.create(tmp_path / "journal", recorded.settings, recorded.directions)
    writer.biases(recorded.biases)
    writer.biases(recorded.biases)
    writer.close()
    with pytest.raises(StepforwardError, match="biases out of turn"):
        journals.read(tmp_path / "journal")
