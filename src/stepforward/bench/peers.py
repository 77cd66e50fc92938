"""What is timed: each peer is one call without arguments."""

import copy
import itertools
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F

from stepforward.bench import ort
from stepforward.bench.mezo import mezo_step
from stepforward.bench.training import ONE_DIRECTION, training
from stepforward.bench.workload import Workload
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.methods.qzo_ff import qzo_ff

Call = Callable[[], object]

EPSILON, LR = 1e-3, 1e-6
"""Of the float peers; small enough that thousands of steps on one batch stay finite."""


def core_forward(work: Workload, batch: int, threads: int) -> Call:
    """Integer logits of a batch."""
    engine, samples = CoreEngine(work.program, threads=threads), Batch.of(work.x_q[:batch])
    return lambda: engine.outputs(samples)


def core_8bit_forward(work: Workload, batch: int, threads: int) -> Call:
    """The same with 8-bit weights."""
    engine, samples = CoreEngine(work.program_8bit, threads=threads), Batch.of(work.x_q[:batch])
    return lambda: engine.outputs(samples)


def core_step(work: Workload, batch: int, threads: int, train: str = "all", **changes: Any) -> Call:
    """One whole QZO-FF step as the first release takes it, or with changed settings; each call takes the next step."""
    program, plan = training(work.program, train, **changes)
    engine = CoreEngine(program, plan, threads=threads)
    data = Batch.of(work.x_q[:batch], work.y[:batch].numpy())
    steps = qzo_ff(engine, lambda step: data, itertools.count(), plan.directions, plan.share_batch)
    return lambda: next(steps)


def core_step_one_direction(work: Workload, batch: int, threads: int) -> Call:
    """One direction on the whole batch: as many forward passes as a default step, and one vote in place of four."""
    return core_step(work, batch, threads, **ONE_DIRECTION)


def torch_forward(
    work: Workload, batch: int, threads: int, layout: torch.memory_format = torch.contiguous_format
) -> Call:
    """Float32 forward in evaluation mode, without autograd."""
    torch.set_num_threads(threads)
    module = copy.deepcopy(work.module).to(memory_format=layout)  # type: ignore[call-overload]
    x = work.x[:batch].contiguous(memory_format=layout)

    def call():
        with torch.inference_mode():
            return module(x)

    return call


def torch_channels_last(work: Workload, batch: int, threads: int) -> Call:
    """The same in the layout that torch recommends for convolutions."""
    return torch_forward(work, batch, threads, torch.channels_last)


def ort_f32(work: Workload, batch: int, threads: int) -> Call:
    """ONNX Runtime, float32."""
    return ort.forward(work.float_model, work.x[:batch].numpy(), threads)


def ort_int8(work: Workload, batch: int, threads: int) -> Call:
    """ONNX Runtime, 8-bit weights and activations, quantized by its own tool."""
    assert work.int8_model is not None, "prepare() was told to leave it out"
    return ort.forward(work.int8_model, work.x[:batch].numpy(), threads)


def openvino_f32(work: Workload, batch: int, threads: int) -> Call:
    """OpenVINO, float32."""
    from stepforward.bench import openvino

    return openvino.forward(work.float_model, work.x[:batch].numpy(), threads)


def openvino_int8(work: Workload, batch: int, threads: int) -> Call:
    """OpenVINO on the same quantized file as ONNX Runtime."""
    from stepforward.bench import openvino

    assert work.int8_model is not None, "prepare() was told to leave it out"
    return openvino.forward(work.int8_model, work.x[:batch].numpy(), threads)


def litert_int8(work: Workload, batch: int, threads: int) -> Call:
    """LiteRT with XNNPACK, 8-bit weights and activations in our own scales."""
    from stepforward.bench import litert

    assert work.int8_network is not None, "prepare() was told to leave it out"
    return litert.forward(work.int8_network, work.x_q[:batch], threads)


def backprop_step(
    work: Workload, batch: int, threads: int, layout: torch.memory_format = torch.contiguous_format
) -> Call:
    """One step of SGD in torch on all parameters."""
    torch.set_num_threads(threads)
    module = copy.deepcopy(work.module).to(memory_format=layout)  # type: ignore[call-overload]
    x, y = work.x[:batch].contiguous(memory_format=layout), work.y[:batch]
    optimizer = torch.optim.SGD(module.parameters(), lr=LR)

    def call():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(module(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return call


def backprop_channels_last(work: Workload, batch: int, threads: int) -> Call:
    """The same in the layout that torch recommends for convolutions."""
    return backprop_step(work, batch, threads, torch.channels_last)


def mezo(work: Workload, batch: int, threads: int) -> Call:
    """One MeZO step in torch on all parameters; each call takes the next seed."""
    torch.set_num_threads(threads)
    module, x, y, seeds = copy.deepcopy(work.module), work.x[:batch], work.y[:batch], itertools.count()
    parameters = list(module.parameters())
    return lambda: mezo_step(parameters, lambda: F.cross_entropy(module(x), y), next(seeds), EPSILON, LR)


PEERS = {
    "core_forward": core_forward,
    "core_8bit_forward": core_8bit_forward,
    "torch_f32_forward": torch_forward,
    "torch_f32_channels_last_forward": torch_channels_last,
    "ort_f32_forward": ort_f32,
    "ort_int8_forward": ort_int8,
    "core_step": core_step,
    "core_step_one_direction": core_step_one_direction,
    "backprop_step": backprop_step,
    "backprop_step_channels_last": backprop_channels_last,
    "mezo_step": mezo,
}
"""Name -> what makes the call for a workload, a batch size and a number of threads. torch has one number of threads per
process: make and time the calls of one number before those of another."""

Make = Callable[[Workload, int, int], Call]

OPTIONAL: dict[str, tuple[Make, tuple[str, ...]]] = {
    "openvino_f32_forward": (openvino_f32, ("openvino",)),
    "openvino_int8_forward": (openvino_int8, ("openvino",)),
    "litert_int8_forward": (litert_int8, ("ai_edge_litert", "tflite")),
}
"""Peers of the whole benchmark that the extra bench installs: what makes the call, and the modules it needs."""


def peers() -> dict[str, Make]:
    """All that are installed."""
    return {**PEERS, **{name: make for name, (make, modules) in OPTIONAL.items() if not _missing(modules)}}


def absent() -> str | None:
    """What is not compared because a package is missing, and how to install it; None where nothing is."""
    missing = sorted({module for _, modules in OPTIONAL.values() for module in _missing(modules)})
    if not missing:
        return None
    names = [name.removesuffix("_forward") for name, (_, modules) in OPTIONAL.items() if _missing(modules)]
    return f"not compared: {', '.join(names)} ({', '.join(missing)} not installed); pip install 'stepforward[bench]'"


def _missing(modules: Sequence[str]) -> list[str]:
    return [module for module in modules if find_spec(module) is None]


QUICK = tuple(
    name for name in PEERS if not any(word in name for word in ("channels_last", "8bit", "one_direction"))
)
