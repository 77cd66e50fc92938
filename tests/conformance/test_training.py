"""Training in the C core against the reference: the same losses, votes and weights, in every format and whatever the
layers, their rows, the memory, the threads and the sharing of the batch."""

import pytest
import small
from random_networks import CYCLE, random_case, run

from stepforward.engines.core import CoreEngine
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.program.arena import plan_arena
from stepforward.program.training_plan import StepSettings, plan_training

PART = CYCLE // 24


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("rows, channels", [(9, 30), (12, 8), (16, 16), (16, 4), (17, 16), (33, 6)])
@pytest.mark.parametrize("share_batch", [False, True])
def test_panels_of_long_rows_train_to_the_same_weights(dtype, rows, channels, share_batch):
    """Rows are staged in 16 bits, also where they are packed into bytes."""
    program = small.wide_program(dtype, rows, channels)
    settings = StepSettings(
        9, epsilon=0.1, lr=0.2, directions=1 + share_batch, seed=3, share_batch=share_batch
    )
    plan = plan_training(program, range(program.parameter_count), settings)
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, 4)
    engines = CoreEngine(program, plan, threads=1), ReferenceEngine(program, plan)
    first, second = (
        list(qzo_ff(engine, lambda step: (x, y), range(2), plan.directions, share_batch))
        for engine in engines
    )
    assert first == second
    assert engines[0].weights() == engines[1].weights() != program.weights


@pytest.mark.parametrize("part", range(CYCLE // PART))
def test_random_networks_train_to_the_same_bits(part):
    for number in range(part * PART, (part + 1) * PART):
        case = random_case(number)
        assert run(case, case.core()) == run(case, ReferenceEngine(case.program, case.plan)), f"case {number}"
