"""How near the multiply kernel comes to the measured peak, where it has little else to do.

One 3x3 convolution with many products per output, on activations that fit the second-level cache, through the core's
own `sf_forward`. Staging the weights, widening the activations and requantizing the outputs are in the time: the share
is what a user's layer gets, and the kernel by itself reaches more.
"""

import statistics
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from stepforward.bench.machine import multiply_peak
from stepforward.bench.operators import operator_runner
from stepforward.memory import multiply_accumulates
from stepforward.operators.conv import Conv
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor

CHANNELS = (16, 32, 64, 128, 256)
"""Input channels: 144 to 2,304 products per output."""

ROWS = (48, 64)
"""Output channels: as many as the x86-64 kernel multiplies at once, and a usual number."""

SIDE = 16
INPUT_BYTES = 256 * 1024
FEWEST_ROUNDS, BURST = 3, 0.02


def convolution(channels: int, rows: int) -> Program:
    """A 3x3 convolution over an image of SIDE x SIDE, 16-bit weights."""
    elements = 9 * channels * rows
    # Sums of these stay within 32 bits, as those of most trained layers do.
    weights = (np.arange(elements) * 7919 % 16001 - 8000).astype("<i2").tobytes()
    tensors = (
        Tensor("weight", (rows, 3, 3, channels), "s16", (1e-4,)),
        Tensor("bias", (rows,), "s32", (1e-6,), offset=len(weights)),
        Tensor("x", (SIDE, SIDE, channels), "s8", (1e-2,), offset=-1),
        Tensor("y", (SIDE, SIDE, rows), "s8", (1e-1,)),
    )
    conv = Conv(kernel=(3, 3), padding=(1, 1, 1, 1), rescale=((40000, 30),))
    op = Op("convolution", conv, (2,), 3, weight=0, bias=1)
    return plan_arena(Program(tensors, (op,), 2, 3, 2, weights + bytes(4 * rows)))


def kernel_shares(
    threads: int, seconds: float, channels: Sequence[int] = CHANNELS, rows: Sequence[int] = ROWS
) -> list[dict]:
    """Rates of the kernel, each next to the peak as it was in the same round.

    Returns:
        One row per shape: products (per output), rows, threads, macs_per_second and share of the peak (medians over
        rounds); empty where the peak is not known.
    """
    calls = {(9 * c, r): [_call(convolution(c, r)) for _ in range(threads)] for c in channels for r in rows}
    rates: dict[tuple[int, int], list[float]] = {shape: [] for shape in calls}
    shares: dict[tuple[int, int], list[float]] = {shape: [] for shape in calls}
    started, rounds = time.perf_counter(), 0
    while rounds < FEWEST_ROUNDS or time.perf_counter() - started < seconds:
        rounds += 1
        peak = multiply_peak(threads)
        if peak is None:
            return []
        for shape, workers in calls.items():
            rates[shape].append(_rate_together(workers))
            shares[shape].append(rates[shape][-1] / peak["macs_per_second"])
    return [
        {
            "products": products,
            "rows": r,
            "threads": threads,
            "macs_per_second": statistics.median(rates[products, r]),
            "share": statistics.median(shares[products, r]),
        }
        for products, r in calls
    ]


def _call(program: Program) -> tuple[Callable[[], None], int]:
    """One run of the only operator, and the multiply-accumulates in it."""
    shape = program.tensors[program.input].shape
    count = max(1, INPUT_BYTES // program.tensors[program.input].bytes)
    x = (np.arange(count * np.prod(shape)) * 31 % 255 - 127).astype(np.int8).reshape(count, *shape)
    run, block = operator_runner(program, x)
    return lambda: run(0, 1), block * multiply_accumulates(program, program.ops[0])


def _rate_together(workers: Sequence[tuple[Callable[[], None], int]]) -> float:
    """Multiply-accumulates per second of all threads, which start together; the core runs without Python's lock."""
    start, rates = threading.Barrier(len(workers)), []

    def work(call, macs):
        call()
        start.wait()
        started, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - started < BURST:
            call()
            count += 1
        rates.append(count * macs / (time.perf_counter() - started))

    threads = [threading.Thread(target=work, args=worker) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates)
