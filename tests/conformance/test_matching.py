"""Matching while a network is used: the C core against the definition, to the last bit of outputs and state."""

from dataclasses import replace

import numpy as np
import pytest
import small
from random_networks import random_case

from stepforward import journal as journals
from stepforward.arithmetic.matching import ONE, Rule
from stepforward.engines.core import CoreEngine
from stepforward.engines.matching import MatchingEngine
from stepforward.engines.protocol import Batch, logits_of
from stepforward.errors import StepforwardError
from stepforward.matching.measure import references
from stepforward.matching.plan import for_matching
from stepforward.matching.sites import sites
from stepforward.matching.stream import Stream
from stepforward.run.match import recorded_program, recorded_sites


def stream(program, count, shift=0, spread=40.0, seed=3):
    shape = program.tensors[program.input].shape
    values = np.random.default_rng(seed).normal(shift, spread, (count, *shape))
    return np.clip(np.rint(values), -128, 127).astype(np.int8)


def pair(program, window=None, known=None):
    plan = for_matching(program, known or references(program, stream(program, 64)), window)
    return Stream(program, plan), MatchingEngine(program, plan)


def assert_alike(definition, engine, x, refresh_every=1):
    for number, sample in enumerate(x):
        expected = definition.outputs(sample[None], counted=True)
        assert engine.outputs(Batch.of(sample[None]), counted=True)[0].tolist() == expected.tolist()
        assert engine.state == definition.state
        if number % refresh_every == 0:
            definition.refresh()
            engine.refresh()
            assert engine.state == definition.state


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("window", [1, 3, 64])
def test_a_stream_is_followed_to_the_same_bits(dtype, per_channel, window):
    program = small.small_program(dtype, per_channel)
    definition, engine = pair(program, window)
    assert_alike(definition, engine, stream(program, 9, shift=30, spread=12.0))
    assert definition.constants or window < 64
    fresh = stream(program, 3, seed=8)
    assert engine.outputs(Batch.of(fresh))[0].tolist() == definition.outputs(fresh).tolist()
    assert engine.state == definition.state  # nothing was counted


def test_random_networks_are_followed_to_the_same_bits():
    tried = 0
    for number in range(0, 700, 7):
        case = random_case(number)
        if not sites(case.program):
            continue
        known = references(case.program, stream(case.program, 24))
        definition, engine = pair(case.program, 2 + number % 5, known)
        assert_alike(definition, engine, stream(case.program, 4, shift=25, spread=20.0), 1 + number % 2)
        tried += 1
    assert tried > 50


def test_a_refresh_before_the_first_sample_changes_nothing():
    definition, engine = pair(small.small_program())
    definition.refresh()
    engine.refresh()
    assert engine.state == definition.state == bytes(len(engine.state))


@pytest.mark.parametrize("rule", [Rule(1, 0, 1, 0), Rule(4096, 65534, 65535, 4096), Rule(3, 100, 120, 7)])
def test_any_rule_is_followed_to_the_same_bits(rule):
    program = small.small_program("s8", True)
    plan = replace(for_matching(program, references(program, stream(program, 64)), 3), rule=rule)
    assert_alike(Stream(program, plan), MatchingEngine(program, plan), stream(program, 7, 30, 12.0))


def test_sample_by_sample_or_at_once_is_the_same_before_a_refresh():
    program = small.small_program()
    (_, one), (_, other) = pair(program), pair(program)
    x = stream(program, 5)
    for sample in x:
        one.outputs(Batch.of(sample[None]), counted=True)
    other.outputs(Batch.of(x), counted=True)
    assert one.state == other.state and one.samples == 5


def test_the_constants_are_those_of_a_matched_program_on_every_engine():
    program = small.small_program("s8", True)
    definition, engine = pair(program)
    x = stream(program, 6, shift=30, spread=12.0)
    assert engine.follow(x).tolist() != logits_of(CoreEngine(program), x).tolist()
    for sample in x:
        definition.outputs(sample[None], counted=True)
        definition.refresh()
    expected = logits_of(CoreEngine(definition.program), x)
    assert engine.outputs(Batch.of(x))[0].tolist() == expected.tolist()


def test_a_snapshot_in_a_journal_gives_the_matched_program():
    program = small.small_program()
    definition, engine = pair(program)
    for sample in stream(program, 6, shift=30, spread=12.0):
        for one in (definition.outputs, engine_outputs(engine)):
            one(sample[None], counted=True)
        definition.refresh()
        engine.refresh()
    pieces = []
    engine.snapshot({"method": "match"}, pieces.append)
    journal = journals.parse(b"".join(pieces))
    assert journal.settings == {"method": "match"} and journal.kept == 0
    wanted = recorded_sites(program, definition.constants)
    assert [site.op for site in journal.matching] == [site.op for site in wanted] and wanted
    assert recorded_program(program, journal.matching, "j") == definition.program


def engine_outputs(engine):
    return lambda x, counted: engine.outputs(Batch.of(x), counted)


def test_zeros_are_the_base_and_a_reset():
    program = small.small_program()
    _, engine = pair(program)
    x = stream(program, 4, shift=30)
    base = logits_of(CoreEngine(program), x).tolist()
    assert engine.outputs(Batch.of(x))[0].tolist() == base
    engine.follow(x)
    kept = engine.state
    engine.reset()
    assert engine.outputs(Batch.of(x))[0].tolist() == base and engine.samples == 0
    engine.state = kept
    assert engine.state == kept
    with pytest.raises(StepforwardError, match="does not fit"):
        engine.state = kept[1:]


def test_a_stream_that_changes_is_followed_and_an_old_one_forgotten():
    program = small.small_program()
    _, engine = pair(program, 8)
    engine.follow(stream(program, 60, shift=30, spread=12.0))
    moved = engine.state
    engine.follow(stream(program, 60, shift=0))
    first = sites(program)[0]
    ratios = (
        np.frombuffer(state, "<u2", first.channels, 4 + 12 * first.channels)
        for state in (moved, engine.state)
    )
    before, after = (np.abs(values.astype(np.int16)) for values in ratios)
    assert after.sum() < before.sum() / 4


def moved(definition):
    """How far all multipliers are from the base's."""
    return sum(np.abs(made.ratio - ONE).sum() for made in definition.constants.values())


def test_a_constant_channel_is_left_alone_and_one_sample_moves_little():
    program = small.small_program()
    known = references(program, stream(program, 64))
    site = sites(program)[0]
    deviation = known[site.name].deviation.copy()
    deviation[2] = 0
    known[site.name] = known[site.name]._replace(deviation=deviation)
    definition, engine = pair(program, 64, known)
    assert_alike(definition, engine, stream(program, 1, shift=30, spread=12.0))
    after_one = moved(definition)
    assert_alike(definition, engine, stream(program, 40, shift=30, spread=12.0))
    assert after_one < moved(definition) / 4
    made = definition.constants[site.name]
    assert made.ratio[2] == ONE and (np.delete(made.ratio, 2) != ONE).all()


@pytest.mark.parametrize("value", [-128, 127])
@pytest.mark.parametrize("dtype", ["s16", "s8"])
def test_saturated_inputs_are_followed_to_the_same_bits(dtype, value):
    program = small.small_program(dtype)
    shape = program.tensors[program.input].shape
    assert_alike(*pair(program, 16), np.full((20, *shape), value, dtype=np.int8), refresh_every=3)


def test_references_of_tiny_deviations_saturate_the_sums_to_the_same_bits():
    program = small.small_program()
    known = {
        name: one._replace(deviation=np.minimum(one.deviation, 1))
        for name, one in references(program, stream(program, 64)).items()
    }
    assert_alike(*pair(program, 16, known), stream(program, 20, shift=30))
