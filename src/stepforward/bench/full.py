"""The whole benchmark: every network, batch size and number of threads, and what explains the times."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from stepforward.bench.arithmetic import arithmetic, floor_seconds
from stepforward.bench.footprint import footprint
from stepforward.bench.kernel import kernel_shares
from stepforward.bench.machine import describe, highest, rates
from stepforward.bench.peers import absent, peers
from stepforward.bench.ratios import ratios
from stepforward.bench.scaling import by_directions, by_trainable
from stepforward.bench.split import split_forward, split_step
from stepforward.bench.timing import interleave
from stepforward.bench.training import training
from stepforward.bench.workload import Workload, prepare
from stepforward.engines.core import CoreEngine
from stepforward.engines.host_memory import CHOICES
from stepforward.program import fileformat

EXPLAINED_BATCH = 64
"""Batch size of floors, splits, memory and scaling."""

KERNEL_SECONDS = 6.0
"""For the shapes of the kernel, per number of threads; less only where everything is to take less than a second."""

COMPARED, LONGER = (16, 64), 5
"""Batch sizes that figures are read from, and how many times longer they are measured."""


def full(
    names: Sequence[str],
    batches: Sequence[int],
    threads: Sequence[int],
    seconds: float,
    tell: Callable[[str], None] = lambda text: None,
) -> dict:
    """Measure everything.

    Args:
        names: of `bench.networks.NETWORKS`.
        batches: batch sizes.
        threads: numbers of threads.
        seconds: of measurement per network, batch size and number of threads; `LONGER` times as long for `COMPARED`
            batches on most threads; large batches take three rounds.
        tell: receives a line about what is done now.

    Returns:
        machine (with peak and copy rate), kernel (shares of peak), networks (counts, floors, splits, memory), cells
        (times and ratios), scaling.
    """
    if missing := absent():
        tell(missing)
    tell("peak of the multiplier")
    machine, measured = describe(), [rates(threads)]
    kernel = [row for count in threads for row in kernel_shares(count, KERNEL_SECONDS * min(1, seconds))]
    networks, cells = {}, []
    scaling: dict[str, list[dict]] = {"directions": [], "trainable": []}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            tell(f"{name}: build and quantize")
            work = prepare(name, Path(folder), max(*batches, EXPLAINED_BATCH))
            networks[name] = _explain(work, max(threads), seconds, Path(folder), tell)
            for count in threads:
                for batch in batches:
                    tell(f"{name}: batch {batch}, {count} thread(s)")
                    longer = LONGER if batch in COMPARED and count == max(threads) else 1
                    cells.append(_cell(work, batch, count, longer * seconds))
            tell(f"{name}: cost of m and of the trainable set")
            arguments = (work, EXPLAINED_BATCH, max(threads), seconds)
            scaling["directions"] += by_directions(*arguments)
            scaling["trainable"] += by_trainable(*arguments)
            measured.append(rates(threads))
    machine |= highest(measured)
    for facts in networks.values():
        facts.update(_floor(facts, machine, max(threads)))
    return {"machine": machine, "kernel": kernel, "networks": networks, "cells": cells, "scaling": scaling}


def _floor(counts: dict, machine: dict, threads: int) -> dict:
    peak = next((p["macs_per_second"] for p in machine["peak"] if p["threads"] == threads), None)
    if peak is None:
        return {}
    floor = floor_seconds(counts, EXPLAINED_BATCH, peak, machine["copy_bytes_per_second"])
    return {"floor": {"batch": EXPLAINED_BATCH, "threads": threads, **floor}}


def _cell(work: Workload, batch: int, threads: int, seconds: float) -> dict:
    calls = {peer: make(work, batch, threads) for peer, make in peers().items()}
    times = interleave(calls, seconds)
    forward = times["core_forward"].median
    return {
        "network": work.name,
        "batch": batch,
        "threads": threads,
        "seconds": {peer: timing._asdict() for peer, timing in times.items()},
        "images_per_second": batch / forward,
        "macs_per_second": batch * work.macs / forward,
        "others": times["core_forward"].others,
        "ratios": ratios(times),
    }


def _explain(work, threads, seconds, folder, tell) -> dict:
    counts = arithmetic(work.program)
    result = {**counts, "arena_bytes": work.program.arena_bytes}
    result["host_scratch_bytes"] = {
        memory: CoreEngine(*training(work.program), threads, memory=memory).scratch_bytes
        for memory in CHOICES
    }
    tell(f"{work.name}: operators, parts of a step, memory")
    result["operators"] = split_forward(work, EXPLAINED_BATCH, seconds)
    result["step"] = {
        "batch": EXPLAINED_BATCH,
        "threads": threads,
        **split_step(work, EXPLAINED_BATCH, threads, seconds),
    }
    fileformat.save(work.program, folder / f"{work.name}.sfp")
    result["memory"] = {
        "batch": EXPLAINED_BATCH,
        "core": footprint("core", folder / f"{work.name}.sfp", EXPLAINED_BATCH),
        "backprop": footprint("backprop", work.name, EXPLAINED_BATCH),
    }
    return result
