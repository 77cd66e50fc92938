"""Training by every engine there is, which must come to the same bits."""

import small
from random_networks import Case, run

from stepforward.engines.core import CoreEngine
from stepforward.engines.device_loop import DeviceLoop
from stepforward.engines.protocol import Batch
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.program.arena import plan_arena


def trained(program, plan, steps=4):
    """What every engine makes of a program, after it was shown to be the same."""
    program = plan_arena(program, plan.first_op)
    x, y = small.samples(program, 12)
    batch, share = Batch.of(x, y), plan.share_batch
    core, device = CoreEngine(program, plan, threads=2), DeviceLoop(program, plan)
    frugal, reference = CoreEngine(program, plan, memory="small"), ReferenceEngine(program, plan)
    taken = [
        list(qzo_ff(engine, lambda step: batch, range(steps), plan.directions, share))
        for engine in (core, frugal, reference)
    ]
    assert taken[0] == taken[1] == taken[2]
    assert [step.votes for step in taken[0]] == [device.step(batch) for _ in range(steps)]
    found = core.snapshot()
    assert found == frugal.snapshot() == reference.snapshot() == device.snapshot()
    return found.weights


def same_everywhere(program, plan, x, y, steps):
    """The weights that every memory, one thread and three, the device loop and the definition all come to."""
    expected = None
    for memory in ("fast", "small", "device"):
        for threads in (1, 3):
            case = Case(0, program, plan, x, y, memory, threads, None)
            expected = expected or run(case, ReferenceEngine(program, plan))
            assert run(case, case.core()) == expected, (memory, threads)
    device, reference = DeviceLoop(program, plan), ReferenceEngine(program, plan)
    batch = Batch.of(x, y)
    for step in qzo_ff(reference, lambda _: batch, range(steps), plan.directions, plan.share_batch):
        assert device.step(batch) == step.votes
        assert device.snapshot() == reference.snapshot()
    return reference.snapshot().weights
