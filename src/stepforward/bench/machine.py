"""The machine that figures are from, and the two rates that bound them."""

import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

COPY_BYTES = 256 << 20
COPY_TRIES = 5

SOFTWARE = ("stepforward", "torch", "onnxruntime", "numpy", "openvino", "ai-edge-litert")
"""Whose versions a result states, where they are installed."""

_CPUINFO = Path("/proc/cpuinfo")


def describe() -> dict:
    """Processor, memory, software; and how busy the machine is with other work."""
    return {
        "processor": _cpu("model name"),
        "features": sorted(set(_cpu("flags").split()) & {"avx2", "avx512bw", "avx512_vnni", "avx_vnni"}),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "software": {name: found for name in SOFTWARE if (found := _version(name)) is not None},
        "date": time.strftime("%Y-%m-%d"),
    }


def multiply_peak(threads: int) -> dict | None:
    """Peak of 16-bit multiply-accumulates, from `peak.c`, on as many cores at once.

    Returns:
        instruction, and macs_per_second of all cores together; None without a C compiler, or on a processor that the
        file knows no instruction for.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with (
        tempfile.TemporaryDirectory() as folder,
        as_file(files("stepforward.bench") / "peak.c") as source,
    ):
        program = Path(folder) / "peak"
        subprocess.run([compiler, "-O2", "-o", program, source], check=True)
        running = [subprocess.Popen([program], stdout=subprocess.PIPE, text=True) for _ in range(threads)]
        lines = [process.communicate()[0].split() for process in running]
    rate = sum(int(line[1]) for line in lines)
    return {"instruction": lines[0][0], "threads": threads, "macs_per_second": rate} if rate else None


def copy_rate() -> float:
    """Bytes per second, read and written, of one core that copies memory larger than every cache."""
    source, target = np.ones(COPY_BYTES, dtype=np.uint8), np.empty(COPY_BYTES, dtype=np.uint8)
    best = float("inf")
    for _ in range(COPY_TRIES):
        started = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - started)
    return 2 * COPY_BYTES / best


def rates(threads: Sequence[int]) -> dict:
    """What bounds every figure, now: peak (one entry per number of threads, where known), copy_bytes_per_second."""
    peaks = [peak for count in threads if (peak := multiply_peak(count))]
    return {"peak": peaks, "copy_bytes_per_second": copy_rate()}


def highest(measured: Sequence[dict]) -> dict:
    """The best of several `rates`: other programs and a hot processor only ever lower them."""
    together = zip(*(rate["peak"] for rate in measured), strict=True)
    return {
        "peak": [max(peaks, key=lambda peak: peak["macs_per_second"]) for peaks in together],
        "copy_bytes_per_second": max(rate["copy_bytes_per_second"] for rate in measured),
    }


def _cpu(field: str) -> str:
    if not _CPUINFO.exists():
        return platform.processor() if field == "model name" else ""
    for line in _CPUINFO.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return "unknown"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
