import numpy as np
import pytest

from stepforward.engines.host_memory import CHOICES
from stepforward.errors import StepforwardError
from stepforward.quantization import formats
from stepforward.settings import DECIDING, KINDS, METHODS, TABLE, Settings

YOUNGER = {name for name, row in TABLE.items() if row.decides and row.unsaid is not None}


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
        *(
            {"low_bits": text}
            for text in ("", "fraction", "fraction-3", "fraction-08", "direct-1", "accumulate-1")
        ),
        *(
            {"low_bits": text}
            for text in (
                "accumulate-256",
                "accumulate-016",
                "accumulate--2",
                "fraction-8-8",
                "master-0",
                "master-4",
            )
        ),
        {"low_bits": "accumulate-16", "momentum": 0.9},
    ],
    ids=str,
)
def test_nonsense_is_refused_by_name_before_any_work(options):
    name = {"bits": "bits", "calibration": "calibration", "lr": "lr"}
    first = next(iter(options))
    with pytest.raises(StepforwardError, match=name.get(first, first)):
        Settings(**options)


def test_numbers_of_numpy_are_numbers():
    settings = Settings(steps=np.int64(5), lr=np.float32(0.5), seed=np.uint8(3))
    assert (type(settings.steps), type(settings.lr), type(settings.seed)) == (int, float, int)
    assert settings == Settings(steps=5, lr=0.5, seed=3)


def test_the_part_that_decides_the_weights():
    assert (
        set(DECIDING)
        == {
            *(
                "steps",
                "epsilon",
                "lr",
                "directions",
                "seed",
                "momentum",
                "distribution",
                "perturbation",
                "rounding",
            ),
            *("schedule", "warmup", "share_batch", "temperature"),
        }
        | YOUNGER
    )  # what journals of arithmetic version 1 hold


def test_what_a_journal_means_without_a_word_is_not_said():
    said = Settings(steps=5, share_batch=False, temperature=2.0, sizes="absolute").deciding()
    assert (said["temperature"], "share_batch" in said, "sizes" in said) == (2.0, False, False)


def test_epsilon_and_lr_have_defaults_by_what_they_are_measured_in():
    absolute, relative = Settings(sizes="absolute"), Settings()
    assert (absolute.epsilon, absolute.lr) == (3e-3, 2e-3)
    assert relative.automatic == ("epsilon", "lr")
    assert (relative.searched().epsilon, relative.searched().lr) == (0.05, 0.02)
    assert Settings(lr=0.5).automatic == ("epsilon",)
    with pytest.raises(StepforwardError, match="lr = 0"):
        Settings(lr=0, sizes="absolute")


def test_minutes_become_steps():
    settings = Settings(minutes=1, lr=0.25).with_steps(7)
    assert (settings.steps, settings.minutes, settings.lr) == (7, None, 0.25)


@pytest.mark.parametrize("method", METHODS)
def test_every_setting_is_in_range_by_default_and_says_what_it_is(method):
    settings = Settings(method=method)
    for name, row in TABLE.items():
        assert row.help.endswith("."), name
        assert getattr(settings, name) is not None or KINDS[name][1], name


def test_choices_are_those_of_the_code_that_makes_them():
    assert set(CHOICES) == set(TABLE["memory"].choices)
    assert set(formats.METHODS) == set(TABLE["calibration"].choices)
