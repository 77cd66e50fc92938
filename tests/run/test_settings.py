import numpy as np
import pytest

from stepforward.errors import StepforwardError
from stepforward.run.settings import Settings


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 10.5},
        {"steps": True},
        {"seed": 1.5},
        {"batch": "8"},
        {"directions": 2.0},
        {"threads": 1.0},
        {"lr": "fast"},
        {"epsilon": None},
        {"minutes": float("inf")},
        {"minutes": float("nan")},
        {"validation": float("nan")},
        {"train": 3},
        {"temperature": "warm"},
        {"temperature": 100.0},
        {"share_batch": "yes"},
        {"bits": "lots"},
        {"bits": "16w16a"},
        {"calibration": "guess"},
        {"steps": 2**32},
        {"warmup": 11, "steps": 10},
    ],
    ids=str,
)
def test_nonsense_is_refused_by_name_before_any_work(options):
    name = {"bits": "bits", "calibration": "calibration", "warmup": "warm-up", "lr": "lr"}
    first = next(iter(options))
    with pytest.raises(StepforwardError, match=name.get(first, first)):
        Settings(**options)


def test_numbers_of_numpy_are_numbers():
    settings = Settings(steps=np.int64(5), lr=np.float32(0.5), seed=np.uint8(3))
    assert (type(settings.steps), type(settings.lr), type(settings.seed)) == (int, float, int)
    assert settings == Settings(steps=5, lr=0.5, seed=3)


def test_the_part_that_decides_the_weights():
    step = Settings(lr=0.25, directions=3, momentum=0.5, temperature=3).step_settings(7)
    assert (step.steps, step.lr, step.directions, step.momentum) == (7, 0.25, 3, 0.5)
    assert (step.temperature, step.share_batch) == (3.0, True)
