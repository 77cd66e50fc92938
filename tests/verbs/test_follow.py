"""`evaluate` and `predict` with `follow`: a model that is matched to samples while it sees them."""

import numpy as np
import pytest

from stepforward.engines.matching import MatchingEngine
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.run.follow import matching_plan
from stepforward.sources.open import open_source
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.inspect import inspect
from stepforward.verbs.predict import predict


def dim(x):
    """Images of less contrast."""
    return (x * 0.4).astype(np.float32)


@pytest.fixture(scope="module")
def stream(task):
    """The test samples of each class in turn, dim, five times over."""
    x, y = task.test
    order = np.tile(np.argsort(np.arange(len(y)) % (len(y) // 4), kind="stable"), 5)
    return dim(x[order]), y[order]


def test_a_stream_is_followed_as_on_a_device(task, stream):
    opened = open_source(task.model)
    program = lower(opened.network())
    engine = MatchingEngine(program, matching_plan(opened, program))
    found = engine.follow(quantize_input(program, stream[0])).argmax(axis=1)
    result = evaluate(task.model, stream, follow=True)
    assert result["correct"] == (found == stream[1]).sum()
    assert result["loss"] != evaluate(task.model, stream)["loss"]
    assert result["weights_sha256"] == program.weights_sha256
    assert any(f"{engine.plan.state_bytes:,} bytes of state" in note for note in result["notes"])
    names = opened.class_names
    assert [one["class"] for one in predict(task.model, stream[0], follow=True)] == [names[i] for i in found]


def test_samples_of_the_models_own_world_stay_as_they_are(task):
    given = evaluate(task.model, task.test)
    assert evaluate(task.model, task.test, follow=True)["correct"] >= given["correct"]


def test_a_float_model_is_refused(task):
    for verb, data in ((evaluate, task.test), (predict, task.test[0])):
        with pytest.raises(StepforwardError, match="only a quantized one is matched"):
            verb(task.float_model, data, follow=True)


def test_inspect_says_what_a_device_needs(task):
    following = inspect(task.model)["following"]
    opened = open_source(task.model)
    program = lower(opened.network())
    engine = MatchingEngine(program, matching_plan(opened, program))
    assert following["state_bytes"] == engine.plan.state_bytes
    assert following["scratch_bytes"] == engine.scratch_bytes
    assert inspect(program)["following"] is None
