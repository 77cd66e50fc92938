"""Where the time of a step goes, and which operators take the time of a forward pass."""

import itertools
from functools import partial

import numpy as np

from stepforward.arithmetic.votes import sign
from stepforward.bench.arithmetic import multiplications
from stepforward.bench.operators import operator_runner
from stepforward.bench.timing import interleave
from stepforward.bench.training import training
from stepforward.bench.workload import Workload
from stepforward.core.bindings import library
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.memory import multiply_accumulates
from stepforward.methods.trials import both_sides


def split_step(work: Workload, batch: int, threads: int, seconds: float) -> dict[str, float]:
    """The parts of a default step with all parameters moving, in seconds (medians).

    Returns:
        step, as a method takes it; forward: one forward pass of weights that do not change, and stay packed; probes:
        all losses of a step; update; generate_once: the generator alone, once over every trainable element for every
        direction, on one thread. So probes - 2 * forward is what packing the perturbed copies of the weights costs,
        and the losses; step - probes - update is the method itself.
    """
    program, plan = training(work.program)
    samples = Batch.of(work.x_q[:batch], work.y[:batch].numpy())
    trials = both_sides(len(samples), plan.directions, plan.share_batch)
    plain, engine = CoreEngine(work.program, threads=threads), CoreEngine(program, plan, threads=threads)
    steps = itertools.count()
    z = np.empty(plan.elements, dtype=np.int8)

    def probe(step):
        losses = engine.losses(step, samples, trials)
        return [sign(up - down) for up, down in zip(losses[::2], losses[1::2], strict=True)]

    def step():
        number = next(steps)
        engine.update(number, probe(number))

    def generate(of_all):
        for direction, entry in itertools.product(range(plan.directions), plan.trainable):
            count = work.program.tensors[entry.tensor].elements if of_all else 0
            library().sf_directions(0, plan.seed, 0, direction, entry.tensor, 0, count, z.ctypes.data)

    calls = {
        "step": step,
        "forward": lambda: plain.outputs(samples),
        "probes": lambda: probe(next(steps)),
        "update": lambda: engine.update(next(steps), [1] * plan.directions),
        "generate_once": lambda: generate(True),
        "generate_nothing": lambda: generate(False),  # the calls from Python, one per tensor
    }
    result = {name: timing.median for name, timing in interleave(calls, seconds).items()}
    result["generate_once"] -= result.pop("generate_nothing")
    return result


def split_forward(work: Workload, batch: int, seconds: float) -> list[dict]:
    """Seconds of each operator of a forward pass over `batch` samples, one thread.

    Each is run alone, on the activations that the operators before it left.

    Returns:
        One row per operator: name, kind, seconds, macs and multiplications of the whole batch.
    """
    call, block = operator_runner(work.program, work.x_q[:batch])
    rows = []
    for i, op in enumerate(work.program.ops):
        # An operator may overwrite what lies in front of it: fill the arena again up to it.
        call(0, i)
        timing = interleave({"op": partial(call, i, i + 1)}, seconds / len(work.program.ops), 9)["op"]
        rows.append(
            {
                "name": op.name,
                "kind": op.kind,
                "output_shape": list(work.program.tensors[op.output].shape),
                "seconds": timing.median * batch / block,
                "macs": multiply_accumulates(work.program, op) * batch,
                "multiplications": multiplications(work.program, op) * batch,
            }
        )
    return rows
