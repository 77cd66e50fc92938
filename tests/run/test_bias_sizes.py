"""Sizes of biases, measured by a few forward passes before a run of biases alone."""

from dataclasses import replace

import pytest
from small import small_program

from stepforward.errors import StepforwardError
from stepforward.plan.make import plan_training
from stepforward.plan.sizes import biases, quantum
from stepforward.run.bias_sizes import FARTHEST, measured
from stepforward.run.search import EPSILON_OF_BIASES, search
from stepforward.settings import Settings

BIASES = [1, 3, 5, 7]
SETTINGS = Settings(train="bias", steps=400, batch=32, tail="votes", low_bits="direct")


def factors(samples, settings=SETTINGS, moving=BIASES):
    found, passes = measured(small_program(), moving, settings, samples, 0, threads=1)
    return found.bias_factors, passes


def test_each_bias_gets_a_factor_and_the_same_again(samples):
    found, passes = factors(samples)
    assert biases(small_program()) == BIASES and len(found) == len(BIASES)
    assert all(1 / FARTHEST**2 < factor < FARTHEST**2 for factor in found)
    assert passes <= 0.0125 * 2 * SETTINGS.steps * 32
    assert factors(samples) == (found, passes)


def test_a_bias_that_says_more_gets_a_smaller_size(samples):
    """Measured again in the sizes found, all biases say the same per number."""
    program, (found, _) = small_program(), factors(samples)
    sizes = {i: 1 / quantum(program, i, "relative", found)[0] for i in BIASES}
    wider = {i: 1 / quantum(program, i, "relative")[0] for i in BIASES}
    assert {i: sizes[i] / wider[i] for i in BIASES} == pytest.approx(dict(zip(BIASES, found, strict=True)))


@pytest.mark.parametrize(
    ("changes", "moving"),
    [
        ({"lr": 0.1}, BIASES),
        ({"bias_sizes": "range"}, BIASES),
        ({"sizes": "absolute", "epsilon": 0.01, "lr": 0.01}, BIASES),
        ({"steps": 2}, BIASES),  # too short a run to spare passes
        ({}, [0, *BIASES]),
        ({}, [7]),
    ],
)
def test_else_the_range_stands_for_it(samples, changes, moving):
    found, passes = measured(small_program(), moving, replace(SETTINGS, **changes), samples, 0, threads=1)
    assert (found.bias_sizes, passes) == ("range", 0)


def test_a_search_measures_them_and_keeps_to_its_share(samples):
    settings, found = search(small_program(), BIASES, SETTINGS, samples, threads=1)
    assert found is not None and len(settings.bias_factors) == len(BIASES)
    assert found.forward_passes <= 0.05 * SETTINGS.passes(len(samples[1])) * SETTINGS.steps
    assert found.epsilon in (EPSILON_OF_BIASES, EPSILON_OF_BIASES / 2, EPSILON_OF_BIASES / 4)
    given = replace(SETTINGS, bias_sizes="2,1,1,0.5")
    settings, _ = search(small_program(), BIASES, given, samples, threads=1)
    assert settings.bias_factors == (2, 1, 1, 0.5)


def test_a_factor_moves_a_bias_further():
    given = replace(SETTINGS, epsilon=0.05, lr=0.1)
    plain = plan_training(small_program(), BIASES, replace(given, bias_sizes="range"))
    other = plan_training(small_program(), BIASES, replace(given, bias_sizes="4,1,1,1"))

    def reach(entry):
        return entry.update_mult[0] / 2.0 ** entry.update_shift[0]

    assert reach(other.trainable[0]) == pytest.approx(4 * reach(plain.trainable[0]), rel=1e-4)
    assert plain.trainable[1:] == other.trainable[1:]
    assert plan_training(small_program(), BIASES, given) == plain


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(StepforwardError, match="3 numbers, for 4 biases"):
        plan_training(small_program(), BIASES, replace(SETTINGS, bias_sizes="1,2,3"))
    for wrong in ("", "1,x", "0,1", "nan", "-1", "inf"):
        with pytest.raises(StepforwardError, match="bias_sizes"):
            Settings(bias_sizes=wrong)
    with pytest.raises(StepforwardError, match="with sizes = 'absolute'"):
        Settings(bias_sizes="1,2", sizes="absolute", epsilon=0.1, lr=0.1)
