"""A weight that several layers read is one parameter: perturbed alike in all of them, and moved once."""

import pytest
import small
from plain import plain
from random_networks import Case, run

from stepforward.engines.device_loop import DeviceLoop
from stepforward.engines.protocol import Batch
from stepforward.engines.reference import ReferenceEngine
from stepforward.lowering.lower import lower
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan.make import plan_training
from stepforward.program.arena import plan_arena


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("channels", [6, 16, 32])
@pytest.mark.parametrize("momentum, directions", [(0.0, 1), (0.9, 2)])
def test_every_engine_trains_it_to_the_same_bits(dtype, channels, momentum, directions):
    program = lower(small.shared_network(dtype, channels))
    readers = [op.weight for op in program.ops if op.parameters]
    assert len(set(readers)) < len(readers)
    settings = plain(
        steps=9, epsilon=0.1, lr=0.2, momentum=momentum, directions=directions, share_batch=directions > 1
    )
    plan = plan_training(program, range(program.parameter_count), settings)
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, 4)
    expected = run(Case(0, program, plan, x, y, "fast", 1, None), ReferenceEngine(program, plan))
    for memory in ("fast", "small", "device"):
        for threads in (1, 2):
            case = Case(0, program, plan, x, y, memory, threads, None)
            assert run(case, case.core()) == expected, (memory, threads)
    device, reference = DeviceLoop(program, plan), ReferenceEngine(program, plan)
    for step in qzo_ff(reference, lambda step: Batch.of(x, y), range(4), directions, plan.share_batch):
        assert device.step(Batch.of(x, y)) == step.votes
    assert device.snapshot().weights == reference.snapshot().weights != program.weights
