"""A parameter that several operators read is perturbed once and moved once, by the reference and by the core."""

import ctypes
from dataclasses import replace

import numpy as np
import pytest
from plain import plain

from stepforward.core.bindings import PlanHandle, library
from stepforward.engines.core import CoreEngine, aligned_bytes, open_program
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.network.network import Q_MAX
from stepforward.operators.conv import Conv
from stepforward.operators.depthwise import Depthwise
from stepforward.operators.fully_connected import FullyConnected
from stepforward.plan import fileformat as plan_file
from stepforward.plan.make import plan_training
from stepforward.program.arena import plan_arena
from stepforward.program.fileformat import from_bytes, to_bytes
from stepforward.program.model import Op, Program, Tensor
from stepforward.program.weights import pack

STEPS, CLASSES = 3, 4


def shared_program(dtype, channels=16):
    """Three layers that are used twice in a row: 3x3, depthwise and fully connected; then the logits."""
    rng = np.random.default_rng(3)
    image, flat = (4, 3, channels), (4 * 3 * channels,)
    shapes = {
        "square": (channels, 3, 3, channels),
        "depthwise": (3, 3, channels),
        "dense": (flat[0], flat[0]),
        "head": (CLASSES, flat[0]),
    }
    tensors, blob = [], b""
    for name, shape in shapes.items():
        rows = shape[-1] if name == "depthwise" else shape[0]
        for part, size, kind in (("weight", shape, dtype), ("bias", (rows,), "s32")):
            scale = 1 / Q_MAX[dtype] if part == "weight" else 0.02 / Q_MAX[dtype]
            tensor = Tensor(f"{name}.{part}", size, kind, (scale,), offset=len(blob))
            limit = Q_MAX[dtype] // 3 if part == "weight" else 3 * Q_MAX[dtype]
            blob += pack(tensor, rng.integers(-limit, limit + 1, size))
            blob += bytes(-len(blob) % 4)
            tensors.append(tensor)
    count = len(tensors)
    shift = {"s16": 15, "s8": 7, "s4": 3}[dtype]
    window = {"kernel": (3, 3), "padding": (1, 1, 1, 1)}
    kinds = [
        (Conv(rescale=((40000, 18 + shift),), **window), 0, image),
        (Conv(rescale=((50000, 18 + shift),), **window), 0, image),
        (Depthwise(rescale=((40000, 16 + shift),), **window), 2, image),
        (Depthwise(rescale=((40000, 16 + shift),), **window), 2, image),
        (FullyConnected(rescale=((40000, 18 + shift),)), 4, flat),
        (FullyConnected(rescale=((40000, 18 + shift),)), 4, flat),
        (FullyConnected(rescale=((40000, 10 + shift),), lo=-32768, hi=32767), 6, (CLASSES,)),
    ]
    tensors.append(Tensor("x", image, "s8", (0.02,), 3, offset=-1))
    ops = []
    for i, (what, weight, shape) in enumerate(kinds):
        last = i == len(kinds) - 1
        tensors.append(Tensor(f"a{i}", shape, "s16" if last else "s8", (0.001 if last else 0.02,), offset=0))
        ops.append(Op(f"op{i}", what, (count + i,), count + i + 1, weight, weight + 1))
    return Program(tuple(tensors), tuple(ops), count, count + len(kinds), count, blob)


def run(engine, plan, batch):
    """Every integer of a training run."""
    found = []
    for step in qzo_ff(engine, lambda _: batch, range(STEPS), plan.directions, plan.share_batch):
        found += [*step.losses, *step.votes]
    return found, engine.snapshot(), logits_of(engine, batch.x).tolist()


@pytest.mark.parametrize("dtype", ["s16", "s8", "s4"])
@pytest.mark.parametrize("changes", [{}, {"momentum": 0.9, "share_batch": False}, {"perturbation": "paper"}])
@pytest.mark.parametrize("moving", [range(8), (4, 5), (0, 3, 6)])
def test_shared_parameters_train_to_the_same_bits_everywhere(dtype, changes, moving):
    program = shared_program(dtype)
    size = {"s16": 0.05, "s8": 0.1, "s4": 0.4}[dtype]
    settings = plain(steps=STEPS, epsilon=size, lr=size, directions=2, **changes)
    plan = plan_training(program, moving, settings)
    program = plan_arena(program, plan.first_op)
    assert from_bytes(to_bytes(program)) == program
    rng = np.random.default_rng(4)
    batch = Batch.of(rng.integers(-128, 128, (6, 4, 3, 16)).astype(np.int8), np.arange(6, dtype=np.int32) % 4)
    expected = run(ReferenceEngine(program, plan), plan, batch)
    assert expected[1].weights != program.weights
    for memory, threads in (("fast", 1), ("fast", 3), ("small", 2)):
        assert run(CoreEngine(program, plan, threads, 2, memory), plan, batch) == expected
    device = CoreEngine(program, plan, 1, 1, "small")
    device._row_tile = 4
    assert run(device, plan, batch) == expected


def test_a_plan_that_moves_a_frozen_tensor_is_refused():
    program = shared_program("s8")
    plan = plan_training(program, range(8), plain(steps=STEPS))
    frozen = replace(program.tensors[6], frozen=True)
    program = plan_arena(replace(program, tensors=(*program.tensors[:6], frozen, *program.tensors[7:])))
    handle, _file = open_program(program)
    content = plan_file.to_bytes(plan)
    file = aligned_bytes(len(content))
    file[:] = memoryview(content)
    status = library().sf_plan_open(PlanHandle(), handle, file.ctypes.data, file.size)
    assert (
        ctypes.string_at(library().sf_status_text(status)) == b"the training plan belongs to another program"
    )
