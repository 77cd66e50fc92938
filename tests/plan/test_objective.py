import math
from dataclasses import replace

import numpy as np
import pytest
from plain import plain
from small import samples, small_program

from stepforward.arithmetic.loss import loss_rescale
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import PLAIN, Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.plan.make import plan_training
from stepforward.scores import NATS, score_float


def plan_at(program, temperature):
    return plan_training(program, range(8), plain(steps=1, temperature=temperature))


@pytest.mark.parametrize("temperature", [0.5, 2.0, 3.7])
def test_the_loss_is_that_of_the_divided_logits(temperature):
    program = small_program()
    x, y = samples(program, 12)
    engine = CoreEngine(program, plan_at(program, temperature), threads=1)
    (loss,) = engine.losses(0, Batch.of(x, y), [PLAIN])
    logits = logits_of(CoreEngine(program, threads=1), x)
    assert np.array_equal(logits_of(engine, x), logits)
    real = score_float(logits * program.tensors[program.output].scale[0] / temperature, y)
    assert math.isclose(loss * NATS, real.loss, rel_tol=1e-3)


def test_one_is_the_scale_of_the_logits_and_two_one_more_shift():
    program = small_program()
    mult, shift = loss_rescale(program.tensors[program.output].scale[0])
    one, two = plan_at(program, 1.0).objective, plan_at(program, 2.0).objective
    assert (one.mult, one.shift, two.mult, two.shift) == (mult, shift, mult, shift + 1)


def test_a_temperature_that_leaves_the_arithmetic_is_refused():
    program = small_program()
    coarse = replace(program.tensors[program.output], scale=(0.6,))
    program = replace(program, tensors=(*program.tensors[:-1], coarse))
    plan_at(program, 1.0)
    with pytest.raises(StepforwardError, match=r"temperature 0\.5 is too small"):
        plan_at(program, 0.5)


@pytest.mark.parametrize("engine", [CoreEngine, ReferenceEngine])
def test_without_a_plan_there_is_no_loss(engine):
    program = small_program()
    x, y = samples(program, 2)
    with pytest.raises(StepforwardError, match="no training plan, which says what the loss is"):
        engine(program).losses(0, Batch.of(x, y), [PLAIN])
