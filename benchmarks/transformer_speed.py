"""Forward passes of KWT-1 and of ViT-tiny (DeiT layout, 224 x 224) next to float32 and int8 runtimes.

    python benchmarks/transformer_speed.py                        # 1 and 2 threads, 30 seconds each
    python benchmarks/transformer_speed.py --only KWT-1 --threads 1 --seconds 10

Weights are seeded, batch 16. The calls take turns (`stepforward.bench.timing`), so that what the machine does besides
meets all of them. Needs the extras [torch], [ort] and [bench].
"""

import tempfile
from pathlib import Path

import torch
import turns
from common import table, write
from zoo import kwt1, transformers

from stepforward.bench.peers import peers
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


def main() -> None:
    """Measure, print, write down."""
    given, found = turns.asked(__doc__, NETWORKS, 30), []
    for name in given.only:
        with tempfile.TemporaryDirectory() as folder:
            work = ready(name, Path(folder))
            for threads in given.threads:
                makes = peers()
                calls = {
                    call: makes[call](work, BATCH, threads)
                    for call in (*OURS.values(), *PEERS)
                    if call in makes
                }
                found += turns.rows(
                    calls, OURS, BATCH, given.seconds, digits=3, network=name, threads=threads
                )
    heads = {
        "network": "network", "threads": "threads", "peer": "peer", "milliseconds": "ms a sample",
        "16w8a": "over ours, 16w8a", "8w8a": "over ours, 8w8a", "others": "others' share of the machine",
    }  # fmt: skip
    print(table(found, heads))
    if given.only == list(NETWORKS):
        write("transformer_speed", {"batch": BATCH, "seconds": given.seconds, "rows": found})


if __name__ == "__main__":
    main()
