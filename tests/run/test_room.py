"""Low-bit weights of the last layer that outgrow their range: scored, written, resumed, replayed with other scales."""

import numpy as np
import pytest
import stripes

from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source
from stepforward.verbs.adapt import adapt
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay

DATA = tuple(stripes.arrays(range(10)).values())
TEST = tuple(stripes.arrays(range(10, 14)).values())
OPTIONS = {"steps": 60, "train": "head", "tail_rate": 20.0, "evaluate_every": 5, "first_stage": "none"}


@pytest.fixture(scope="module", params=["8w8a", "4w8a"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("room")
    (folder / "float.onnx").write_bytes(stripes.network().SerializeToString())
    quantize(folder / "float.onnx", DATA, out=folder / "base.onnx", bits=request.param)
    return folder / "base.onnx"


def program_of(path):
    return lower(open_source(path).network())


def grown(base, adapted):
    """Scales of the adapted last layer over those of the base's."""
    index = base.ops[-1].weight
    return np.divide(adapted.tensors[index].scale, base.tensors[index].scale)


def test_the_file_has_the_scales_that_were_scored(model, tmp_path):
    result = adapt(model, DATA, test=TEST, out=tmp_path / "run", **OPTIONS)
    base, adapted = program_of(model), program_of(tmp_path / "run" / "adapted.onnx")
    factors = grown(base, adapted)
    assert result["kept_step"] > 0 and set(factors) <= {1, 2, 4} and max(factors) > 1
    assert adapted.tensors[: base.ops[-1].weight] == base.tensors[: base.ops[-1].weight]
    measured = evaluate(tmp_path / "run" / "adapted.onnx", TEST)
    assert measured["accuracy"] == result["adapted_accuracy"]
    assert measured["loss"] == result["adapted_loss"]
    assert measured["weights_sha256"] == result["weights_sha256"]


def test_without_room_scales_stay(model, tmp_path):
    adapt(model, DATA, out=tmp_path / "run", **OPTIONS, low_bits="master")
    assert set(grown(program_of(model), program_of(tmp_path / "run" / "adapted.onnx"))) == {1}


def test_a_run_that_does_not_help_returns_the_base_as_it_was(model, tmp_path):
    worse = (DATA[0], np.roll(DATA[1], 1))
    result = adapt(model, worse, out=tmp_path / "run", **OPTIONS | {"steps": 1, "tail_rate": 1e-6})
    assert result["kept_step"] == 0
    assert program_of(tmp_path / "run" / "adapted.onnx") == program_of(model)


@pytest.mark.parametrize("options", [{}, {"head_start": "auto"}, {"first_stage": "match"}], ids=str)
def test_resume_and_replay_give_the_same_file(model, tmp_path, options):
    def interrupt(progress):
        if progress.step >= 33:
            raise KeyboardInterrupt

    options = OPTIONS | options
    adapt(model, DATA, out=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        adapt(model, DATA, out=tmp_path / "cut", on_progress=interrupt, **options)
    adapt(model, DATA, out=tmp_path / "cut", resume=True, **options)
    replay(model, tmp_path / "whole" / "journal", out=tmp_path / "again.onnx")
    wanted = (tmp_path / "whole" / "adapted.onnx").read_bytes()
    assert (tmp_path / "cut" / "adapted.onnx").read_bytes() == wanted
    assert (tmp_path / "again.onnx").read_bytes() == wanted
