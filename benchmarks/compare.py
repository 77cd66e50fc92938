"""Times of this checkout and of another one, in turn: python benchmarks/compare.py OTHER [NETWORKS]

OTHER is a checkout with its core built in place (`python setup.py build_ext --inplace`). A process of each keeps its
networks ready; they are asked for half a second of forward passes or of default steps (batch 64, two threads) one
after the other, so that both see the same minutes. Close other programs first.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, table

NETWORKS = "lenet5,ds_cnn,resnet20,mobilenet_v1,conv4"
ROUNDS, SECONDS, BATCH, THREADS = 10, 0.5, 64, 2


def serve(names):
    """In a process of one checkout: times on request, one line "network call" of input for each median of output."""
    from stepforward.bench import peers
    from stepforward.bench.workload import prepare

    calls = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            work = prepare(name, Path(folder), BATCH, int8=False)
            calls[name, "forward"] = peers.core_forward(work, BATCH, THREADS)
            calls[name, "step"] = peers.core_step(work, BATCH, THREADS)
    for line in sys.stdin:
        call, seconds = calls[tuple(line.split())], []
        call()
        until = time.perf_counter() + SECONDS
        while time.perf_counter() < until or len(seconds) < 3:
            started = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - started)
        print(json.dumps(statistics.median(seconds)), flush=True)


def start(checkout, networks):
    """That process."""
    words = [sys.executable, __file__, "--serve", networks]
    environment = os.environ | {"PYTHONPATH": str(Path(checkout).resolve() / "src")}
    return subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(process, *words):
    """Seconds of one call."""
    process.stdin.write(" ".join(words) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def main(other, networks=NETWORKS):
    both = [start(other, networks), start(ROOT, networks)]
    found = {(name, call): [] for name in networks.split(",") for call in ("forward", "step")}
    for number in range(ROUNDS):
        for key, pairs in found.items():
            order = (0, 1) if number % 2 else (1, 0)
            times = {which: ask(both[which], *key) for which in order}
            pairs.append((times[0], times[1]))
    rows = []
    for name in networks.split(","):
        row = {"network": name}
        for call in ("forward", "step"):
            row[call] = f"{statistics.median(old / new for old, new in found[name, call]):.3f}"
        for which, label in enumerate(("other", "this")):
            forward, step = (
                statistics.median(p[which] for p in found[name, call]) for call in ("forward", "step")
            )
            row[label] = f"{step / forward / 2:.3f}"
        rows.append(row)
    headings = {"forward": "forward: other / this", "step": "step: other / this"}
    headings |= {"other": "other: step / two forwards", "this": "this: step / two forwards"}
    print(table(rows, {"network": "network"} | headings))


if __name__ == "__main__":
    serve(sys.argv[2].split(",")) if sys.argv[1] == "--serve" else main(*sys.argv[1:])
