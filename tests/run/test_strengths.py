"""Strengths of a matching that are tried, and the one that predictions speak for."""

from dataclasses import replace

import numpy as np
import pytest
from small import samples, small_program

from stepforward.arithmetic.matching import STRENGTHS, WHOLE, Reference
from stepforward.matching.measure import references
from stepforward.program.weights import pack_all, unpack
from stepforward.run.attempt import attempt
from stepforward.run.strengths import Candidate, by_information, candidates

PROGRAM = small_program(per_channel=True)
X = samples(PROGRAM, 64)[0]
KNOWN = references(PROGRAM, X)
SHIFTED = np.clip(X // 3 + 60, -128, 127).astype(np.int8)


def flattened(divisor):
    """The program with a last layer that says less."""
    op = PROGRAM.ops[-1]
    values = {index: unpack(PROGRAM.tensors[index], PROGRAM.weights) // divisor for index in op.parameters}
    return replace(PROGRAM, weights=pack_all(PROGRAM, values))


def test_a_weaker_matching_corrects_a_part_of_every_share():
    found = candidates(PROGRAM, KNOWN, SHIFTED, 1, STRENGTHS)
    assert [one.strength for one in found] == list(STRENGTHS)
    whole = found[-1].found[0].share  # the first site sees the same samples at every strength
    assert whole > 0
    assert [one.found[0].share for one in found] == [whole * strength >> 8 for strength in STRENGTHS]


def test_nothing_to_correct_is_tried_once():
    (only,) = candidates(PROGRAM, KNOWN, X, 1, STRENGTHS)
    assert only.strength == WHOLE and not only.made


@pytest.mark.parametrize(("divisors", "taken"), [((1, 50), 1), ((50, 50), 2), ((1, 1), 2)])
def test_what_says_less_than_the_base_is_not_taken(divisors, taken):
    base = Candidate(0, (), {}, PROGRAM)
    tried = [Candidate(strength, (), {}, flattened(d)) for strength, d in zip((1, 2), divisors, strict=True)]
    chosen, (before, after) = by_information(base, tried, X, 1)
    assert chosen.strength == taken
    assert (after >= before) == (1 in divisors)


def test_an_attempt_without_labels_keeps_a_base_that_says_more():
    """References that have nothing to do with the network: matching to them breaks it."""
    rng = np.random.default_rng(0)
    wrong = {
        name: Reference(rng.permutation(one.mean), np.maximum(one.deviation // 50, 1), (1, 1))
        for name, one in KNOWN.items()
    }
    tried = attempt(PROGRAM, wrong, X, X, None, 1, strengths=STRENGTHS)
    assert tried.information is not None
    assert tried.kept.startswith("base") == (tried.information[1] < tried.information[0])
    assert tried.kept.startswith("base") and tried.program is PROGRAM and not tried.made


def test_labels_choose_the_strength_by_their_loss():
    y = samples(PROGRAM, 64)[1]
    tried = attempt(PROGRAM, KNOWN, SHIFTED, SHIFTED, y, 1, strengths=STRENGTHS)
    of_each = [
        attempt(PROGRAM, KNOWN, SHIFTED, SHIFTED, y, 1, strengths=(strength,)).scores[1].loss
        for strength in STRENGTHS
    ]
    assert tried.information is None and tried.scores[1].loss == min(of_each)
