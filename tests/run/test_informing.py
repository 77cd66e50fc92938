"""Steps after a matching, by what predictions say."""

from types import SimpleNamespace

import numpy as np
import pytest
from small import samples, small_program

from stepforward.arithmetic.information import Entropies, entropies
from stepforward.arithmetic.loss import loss_rescale
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.matching.matched import match
from stepforward.matching.measure import references
from stepforward.matching.moves import added, constants_at, drawn, origin, places, program_at
from stepforward.run.informing import inform

PROGRAM = small_program(per_channel=True)
X = samples(PROGRAM, 96)[0]
KNOWN = references(PROGRAM, X)
SHIFTED = np.clip(X // 3 + 60, -128, 127).astype(np.int8)


def settings(**given):
    return SimpleNamespace(**{"steps": 6, "directions": 4, "batch": 32, "seed": 3, "threads": 1, **given})


def told(found):
    return {name: [np.asarray(part).tolist() for part in one] for name, one in found.made.items()}


def test_steps_make_predictions_say_more():
    seen = []
    found = inform(PROGRAM, KNOWN, {}, SHIFTED[16:], SHIFTED[:16], settings(), seen.append)
    assert found.kept_step and found.after > found.before
    assert [one.step for one in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1].information == found.after / 65536 and seen[-1].best_step == found.kept_step
    scale, logits = PROGRAM.tensors[PROGRAM.output].scale[0], logits_of(CoreEngine(PROGRAM), SHIFTED[16:])
    assert found.classes == 2 ** (entropies(logits, *loss_rescale(scale)).of_mean / 65536) < logits.shape[1]
    assert found.forward_passes == 96 + 6 * (5 * 32 + 16)


def test_every_engine_takes_the_same_steps(monkeypatch):
    core = inform(PROGRAM, KNOWN, {}, SHIFTED[16:], SHIFTED[:16], settings(steps=2))
    for module in ("run.informing", "run.strengths", "engines.before"):
        monkeypatch.setattr(
            f"stepforward.{module}.CoreEngine", lambda program, threads: ReferenceEngine(program)
        )
    defined = inform(PROGRAM, KNOWN, {}, SHIFTED[16:], SHIFTED[:16], settings(steps=2))
    assert told(core) == told(defined) and core.after == defined.after


def test_seeds_and_threads():
    one, two, other = (
        inform(PROGRAM, KNOWN, {}, SHIFTED[16:], SHIFTED[:16], settings(**own))
        for own in ({}, {"threads": 2}, {"seed": 4})
    )
    assert told(one) == told(two) != told(other)


def test_steps_that_say_less_are_not_kept(monkeypatch):
    said = iter([500, 500, 499, 500, 300])
    monkeypatch.setattr(
        "stepforward.run.informing.entropies_of", lambda program, x, threads: Entropies(next(said), 0)
    )
    found = inform(PROGRAM, KNOWN, {}, SHIFTED[16:], SHIFTED[:16], settings(steps=3))
    assert (found.kept_step, found.made, found.before) == (0, {}, found.after)
    assert found.program.weights == PROGRAM.weights


def test_a_position_at_the_origin_is_the_program_itself():
    of = places(PROGRAM, KNOWN, {})
    same = program_at(PROGRAM, of, origin(of))
    assert (same.weights, [op.what for op in same.ops]) == (PROGRAM.weights, [op.what for op in PROGRAM.ops])


def test_the_last_third_of_the_sites_moves_and_the_others_stay_as_they_were_matched():
    made = {one.site.name: one.constants for one in match(PROGRAM, KNOWN, SHIFTED)}
    found = inform(PROGRAM, KNOWN, made, SHIFTED[16:], SHIFTED[:16], settings())
    moving = {place.site.name for place in places(PROGRAM, KNOWN, made)}
    assert found.kept_step and len(moving) == len(KNOWN) - 2 * len(KNOWN) // 3
    changed = {
        name for name in made if told(found)[name] != [np.asarray(part).tolist() for part in made[name]]
    }
    assert changed == moving < set(made)


def test_a_constant_channel_stays():
    site = list(KNOWN)[-1]
    known = {**KNOWN, site: KNOWN[site]._replace(deviation=np.zeros_like(KNOWN[site].deviation))}
    of = places(PROGRAM, known, {})
    moved = added(origin(of), drawn(of, 0, 0, 0), 4096)
    start, found = of[-1].start, constants_at(PROGRAM, of, moved)[site]
    assert of[-1].site.name == site
    assert found.ratio.tolist() == start.ratio.tolist() and found.bias.tolist() == start.bias.tolist()


@pytest.mark.parametrize("times", [1, 4096, 10**6])
def test_positions_stay_where_constants_hold_them(times):
    of = places(PROGRAM, KNOWN, {})
    program = program_at(PROGRAM, of, added(origin(of), drawn(of, 0, 0, 0), times))
    (op,) = [op for op in program.ops if op.name == of[-1].site.name]
    assert all(0 <= mult < 2**16 and 0 <= shift <= 47 for mult, shift in op.what.rescale)
