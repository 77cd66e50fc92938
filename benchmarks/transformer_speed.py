"""Forward passes of KWT-1 and of ViT-tiny (DeiT layout, 224 x 224) next to float32 and int8 runtimes.

    python benchmarks/transformer_speed.py                        # 1 and 2 threads, 30 seconds each
    python benchmarks/transformer_speed.py --only KWT-1 --threads 1 --seconds 10

Weights are seeded, batch 16. The calls take turns (`stepforward.bench.timing`), so that what the machine does besides
meets all of them. Needs the extras [torch], [ort] and [bench].
"""

import argparse
import tempfile
from pathlib import Path

import torch
from common import table, write
from zoo import kwt1, transformers

from stepforward.bench.peers import peers
from stepforward.bench.timing import interleave
from stepforward.bench.workload import CALIBRATION_SAMPLES, Workload, of_module

BATCH = 16
OURS = {"16w8a": "core_forward", "8w8a": "core_8bit_forward"}
PEERS = (
    "torch_f32_forward", "ort_f32_forward", "openvino_f32_forward", "ort_int8_forward", "openvino_int8_forward",
)  # fmt: skip
NETWORKS = {
    "KWT-1": (lambda: transformers.seeded(kwt1.KWT1()), (1, kwt1.FRAMES, kwt1.COEFFICIENTS)),
    "ViT-tiny": (lambda: transformers.seeded(transformers.Deit()), (3, 224, 224)),
}


def ready(name: str, folder: Path) -> Workload:
    """A network in every form, with samples."""
    make, shape = NETWORKS[name]
    x = torch.randn((CALIBRATION_SAMPLES, *shape), generator=torch.Generator().manual_seed(1))
    return of_module(name, make(), x, folder, BATCH)


def rows(work: Workload, threads: int, seconds: float) -> list[dict]:
    """Milliseconds of a sample, and how often ours fit into a peer's time."""
    makes = peers()
    calls = {name: makes[name](work, BATCH, threads) for name in (*OURS.values(), *PEERS) if name in makes}
    timed = interleave(calls, seconds)
    return [
        {
            "network": work.name,
            "threads": threads,
            "peer": name,
            "milliseconds": round(1000 * timing.median / BATCH, 3),
            **{bits: round(timing.median / timed[ours].median, 2) for bits, ours in OURS.items()},
            "others": round(timing.others, 2),
        }
        for name, timing in timed.items()
    ]


def main() -> None:
    """Measure, print, write down."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    arguments.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    arguments.add_argument("--seconds", type=float, default=30)
    given = arguments.parse_args()
    found = []
    for name in given.only:
        with tempfile.TemporaryDirectory() as folder:
            work = ready(name, Path(folder))
            for threads in given.threads:
                found += rows(work, threads, given.seconds)
    heads = {
        "network": "network", "threads": "threads", "peer": "peer", "milliseconds": "ms a sample",
        "16w8a": "over ours, 16w8a", "8w8a": "over ours, 8w8a", "others": "others' share of the machine",
    }  # fmt: skip
    print(table(found, heads))
    if given.only == list(NETWORKS):
        write("transformer_speed", {"batch": BATCH, "seconds": given.seconds, "rows": found})


if __name__ == "__main__":
    main()
