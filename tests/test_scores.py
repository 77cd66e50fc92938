import math

import numpy as np
import pytest

from stepforward.scores import NATS, class_weights, confusion_matrix, score, score_float

LOGITS = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 3.0], [1.0, 0.0, 5.0], [4.0, 0.0, 0.0]])
Y = np.array([0, 2, 2, 1])


def test_confusion_counts_true_classes_in_rows_and_the_first_of_equal_logits():
    assert confusion_matrix(LOGITS, Y).tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 1]]


def test_float_scores():
    result = score_float(LOGITS, Y)
    assert (result.correct, result.count, result.accuracy) == (2, 4, 0.5)
    expected = (
        -sum(math.log(math.exp(row[y]) / np.exp(row).sum()) for row, y in zip(LOGITS, Y, strict=True)) / 4
    )
    assert math.isclose(result.nats, expected, rel_tol=1e-12)


def test_float_scores_of_huge_logits_do_not_overflow():
    assert score_float(LOGITS * 1e6, Y).nats > 1e5


def test_integer_scores_agree_with_float_ones():
    from small import samples, small_program

    from stepforward.engines.core import CoreEngine
    from stepforward.engines.protocol import logits_of

    program = small_program()
    x, y = samples(program, 40)
    logits = logits_of(CoreEngine(program, threads=1), x)
    integer = score(program, logits, y)
    real = score_float(logits * program.tensors[program.output].scale[0], y)
    assert (integer.correct, integer.confusion.tolist()) == (real.correct, real.confusion.tolist())
    assert abs(integer.nats - real.nats) < 1e-3
    assert integer.unit == NATS


def test_balanced_weights_make_every_class_count_alike():
    y = np.array([0] * 190 + [3] * 10)
    weights = class_weights(y, balance=True)
    assert weights.dtype == np.int64
    assert weights[y == 0].sum() / weights[y == 3].sum() == pytest.approx(1, rel=1e-6)
    assert weights.sum() < 2**32
    assert class_weights(y, balance=False).tolist() == [1] * 200


def test_weighed_scores_count_a_rare_class_as_much_as_a_common_one():
    logits = np.array([[1.0, 0.0]] * 10)
    y = np.array([0] * 9 + [1])
    result = score_float(logits, y)
    assert result.weighed(class_weights(y, balance=False)) == (result.correct, pytest.approx(result.loss))
    weights = class_weights(y, balance=True)
    correct, loss = result.weighed(weights)
    assert correct / weights.sum() == pytest.approx(0.5, rel=1e-6)
    assert loss / weights.sum() == pytest.approx((result.losses[0] + result.losses[-1]) / 2, rel=1e-6)
