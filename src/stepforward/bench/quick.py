"""`stepforward bench --quick`: the figures of two networks at one batch size, within a minute."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from stepforward.bench.peers import PEERS, QUICK
from stepforward.bench.ratios import ratios
from stepforward.bench.timing import QUIET, interleave
from stepforward.bench.workload import prepare

NETWORKS = ("resnet20", "ds_cnn")
BATCH, THREADS, SECONDS = 64, 2, 7.0


def quick(
    networks=NETWORKS,
    batch: int = BATCH,
    threads: int = THREADS,
    seconds: float = SECONDS,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, dict[str, float]]:
    """Network name -> figures of `bench.ratios`.

    Args:
        networks: names of `bench.networks.NETWORKS`.
        batch: samples per forward pass and step.
        threads: of every peer.
        seconds: of measurement per network; building and quantizing it comes before.
        tell: receives a line about what is done now.
    """
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in networks:
            tell(f"{name}: build and quantize")
            work = prepare(name, Path(folder), batch)
            tell(f"{name}: {len(QUICK)} peers, batch {batch}, {threads} threads")
            calls = {peer: PEERS[peer](work, batch, threads) for peer in QUICK}
            times = interleave(calls, seconds)
            result[name] = ratios(times)
            others = times["core_forward"].others
            if others > QUIET:
                tell(
                    f"{name}: other programs took {others:.0%} of the machine; measure again when it is quiet"
                )
    return result
