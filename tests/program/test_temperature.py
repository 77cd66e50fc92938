import math

import numpy as np
import pytest
from small import samples, small_program

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import PLAIN, Batch, logits_of
from stepforward.errors import StepforwardError
from stepforward.program.temperature import at_temperature
from stepforward.scores import NATS, score_float


@pytest.mark.parametrize("temperature", [0.5, 2.0, 3.7])
def test_the_loss_is_that_of_the_divided_logits(temperature):
    program = small_program()
    x, y = samples(program, 12)
    engine = CoreEngine(at_temperature(program, temperature), threads=1)
    (loss,) = engine.losses(0, Batch.of(x, y), [PLAIN])
    logits = logits_of(CoreEngine(program, threads=1), x)
    assert np.array_equal(logits_of(engine, x), logits)
    real = score_float(logits * program.tensors[program.output].scale[0] / temperature, y)
    assert math.isclose(loss * NATS, real.loss, rel_tol=1e-3)


def test_one_is_the_program_itself():
    program = small_program()
    assert at_temperature(program, 1.0) is program


def test_two_is_one_more_shift():
    program = small_program()
    mult, shift = program.loss_rescale
    assert at_temperature(program, 2.0).loss_rescale == (mult, shift + 1)


def test_a_temperature_that_leaves_the_arithmetic_is_refused():
    with pytest.raises(StepforwardError, match="temperature 1e-06 is too small"):
        at_temperature(small_program(), 1e-6)
