import numpy as np
import pytest

from stepforward.run.comparison import Comparison, comparison
from stepforward.run.notes import harm
from stepforward.scores import score_float

Y = np.array([0] * 30 + [1] * 10)


def scored(right: np.ndarray):
    """A score of samples that are classified correctly where `right` is true."""
    answers = np.where(right, Y, 1 - Y)
    return score_float(np.eye(3)[answers], Y)


def compared(before, after) -> Comparison:
    return comparison(scored(before), scored(after), "test", ["common", "rare", "absent"])


def test_changes_are_counted_in_all_and_by_class():
    before, after = np.ones(40, bool), np.ones(40, bool)
    before[:12], after[30:38] = False, False
    result = compared(before, after)
    assert (result.gained, result.lost) == (12, 8)
    common, rare, absent = result.per_class
    assert (common.samples, common.gained, common.lost) == (30, 12, 0)
    assert (common.recall_before, common.recall_after) == (0.6, 1.0)
    assert (rare.recall_before, rare.recall_after, rare.lost) == (1.0, 0.2, 8)
    assert (absent.samples, absent.recall_before, absent.difference_interval) == (0, None, None)
    assert result.adapted_mean_recall == pytest.approx(0.6)


def test_a_rare_class_that_falls_while_accuracy_rises_is_named():
    before, after = np.ones(40, bool), np.ones(40, bool)
    before[:12], after[30:38] = False, False
    notes = harm(compared(before, after), 40, False)
    assert notes == [
        "fewer samples are classified correctly of rare (100 to 20 %, 10 samples); "
        "--balance makes every class count alike"
    ]
    assert "--balance" not in harm(compared(before, after), 40, True)[0]


@pytest.mark.parametrize(("lost", "noise"), [(1, "within"), (9, "beyond")])
def test_a_fall_on_test_samples_is_said_with_its_noise(lost, noise):
    after = np.ones(40, bool)
    after[:lost] = False
    said = f"accuracy on the test samples fell from 100.0 to {100 * (40 - lost) / 40:.1f} %, {noise} the noise of 40"
    assert harm(compared(np.ones(40, bool), after), 40, False)[0].startswith(said)


def test_a_gain_needs_no_note():
    before = np.ones(40, bool)
    before[:5] = False
    assert harm(compared(before, np.ones(40, bool)), 40, False) == []
