"""How the cost of a step grows with m, and with what is trainable."""

import statistics

from stepforward.bench.arithmetic import multiplications
from stepforward.bench.peers import core_step
from stepforward.bench.timing import interleave, measure, shares
from stepforward.bench.training import training
from stepforward.bench.workload import Workload

DIRECTIONS = (1, 2, 4, 8)
SHARES = (1, 2, 4, 8, 16)
"""k of `last:k`, as far as the network has so many layers."""

PATIENCE = 2
"""Times the budget of a cell: a small difference of two times needs more rounds."""


def by_directions(work: Workload, batch: int, threads: int, seconds: float) -> list[dict]:
    """Seconds per step for each m, on the whole batch and with directions that share it."""
    calls = {
        (m, share): core_step(work, batch, threads, directions=m, share_batch=share)
        for m in DIRECTIONS
        for share in (False, True)
    }
    times = interleave({str(key): call for key, call in calls.items()}, seconds)
    return [
        {"network": work.name, "m": m, "share_batch": share, "seconds": times[str((m, share))].median}
        for m, share in calls
    ]


def by_trainable(work: Workload, batch: int, threads: int, seconds: float) -> list[dict]:
    """Seconds per step for each trainable set, and the share of an `all` step's multiplications that it must do.

    Layers in front of the first trainable one run once for both probes, the others twice. `last:1` is `head`. Shares of
    time are taken within each round, next to the `all` step of that round.
    """
    layers = sum(op.weight >= 0 for op in work.program.ops)
    sets = ["all", "bias", *(f"last:{k}" for k in SHARES if k < layers)]
    rounds = measure({train: core_step(work, batch, threads, train) for train in sets}, PATIENCE * seconds)
    rows = []
    for train in sets:
        _, plan = training(work.program, train)
        work_of = [multiplications(work.program, op) for op in work.program.ops]
        once, twice = sum(work_of[: plan.first_op]), 2 * sum(work_of[plan.first_op :])
        low, median, high = shares(rounds, train, "all")
        rows.append(
            {
                "network": work.name,
                "train": train,
                "trainable_parameters": plan.elements,
                "work_share": (once + twice) / (2 * sum(work_of)),
                "seconds": statistics.median(row.seconds[train] for row in rounds),
                "time_share": median,
                "time_share_low": low,
                "time_share_high": high,
            }
        )
    return rows
