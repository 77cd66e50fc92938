"""Epsilon and learning rate found by a few forward passes before a run."""

from dataclasses import replace

import pytest
from small import small_program

from stepforward.run.search import rate, search
from stepforward.settings import Settings

RELATIVE = Settings(steps=400, batch=32, directions=4, tail="votes", low_bits="direct")


def find(program, samples, settings=RELATIVE):
    return search(program, range(8), settings, samples, threads=1)


def test_what_was_given_is_left_alone(samples):
    given = replace(RELATIVE, epsilon=0.03, lr=0.011, bias_sizes="range")
    assert find(small_program(), samples, given) == (given, None)
    found, _ = find(small_program(), samples, replace(RELATIVE, epsilon=0.03))
    assert found.epsilon == 0.03
    assert not found.automatic


def test_where_only_an_exact_tail_moves_there_is_nothing_to_probe(samples):
    exact = replace(RELATIVE, tail="exact")
    settings, found = search(small_program(), [6, 7], exact, samples, threads=1)
    assert found is None and not settings.automatic
    assert find(small_program(), samples, exact)[1] is not None


@pytest.mark.parametrize("steps", [40, 400, 4000])
def test_it_takes_a_twentieth_of_the_passes_of_the_run(samples, steps):
    _, found = find(small_program(), samples, replace(RELATIVE, steps=steps))
    assert found.forward_passes <= 0.05 * 2 * 32 * steps


def test_longer_runs_and_fewer_directions_take_smaller_steps():
    def given(**changes):
        return rate(replace(RELATIVE, **changes), curvature=10.0)

    usual = given()
    assert given(steps=1600) == pytest.approx(usual / 2)
    assert given(directions=1) == pytest.approx(usual / 2)
    assert given(momentum=0.9) == pytest.approx(usual / 10)
    assert rate(RELATIVE, curvature=40.0) == pytest.approx(usual / 2)
    assert given(bias_sizes="1,2") == pytest.approx(usual * 2)


def test_no_step_moves_weights_further_than_an_eighth_of_their_size():
    assert rate(RELATIVE, curvature=-3.0) == 1 / 8 * 2


def test_the_unit_of_the_weights_does_not_matter(samples):
    """The same network written with weights of other units learns at the same rate."""
    program = small_program()
    weights = [0, 2, 4, 6]
    other = replace(
        program,
        tensors=tuple(
            replace(t, scale=tuple(s * 7 for s in t.scale)) if i in weights else t
            for i, t in enumerate(program.tensors)
        ),
    )
    rates = [search(p, weights, RELATIVE, samples, threads=1)[0].lr for p in (program, other)]
    assert rates[0] == pytest.approx(rates[1], rel=1e-3)


def test_a_probe_moves_weights_of_few_bits(samples):
    found, _ = find(small_program("s4"), samples)
    assert found.epsilon > find(small_program(), samples)[0].epsilon


def test_threads_do_not_matter(samples):
    program = small_program()
    assert find(program, samples) == search(program, range(8), RELATIVE, samples, threads=2)
