"""Forward passes with the roundings of other runtimes, against the contract's: benchmarks/results/roundings.json.

    python benchmarks/roundings.py [--networks ds_cnn resnet20] [--batch 64] [--rounds 15] [--write]

The networks of `stepforward bench` with 8-bit weights; the pairs of each rounding have the same ratios. One thread, one
process; calls of all roundings take turns, and a row is the median of their processor times over those of the contract
in the same round.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import table, write

from stepforward.arithmetic.rounding import FLOAT, NAMES, float_multiplier, q31_multiplier
from stepforward.bench.networks import NETWORKS
from stepforward.bench.workload import prepare
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.lowering.multipliers import of_join
from stepforward.operators.add import Add
from stepforward.program.model import Op, Program


def in_rounding(program: Program, rounding: int) -> Program:
    """The program with the ratios of its pairs in another rounding."""
    return replace(program, ops=tuple(_op(op, rounding) for op in program.ops))


def _op(op: Op, rounding: int) -> Op:
    ratios = [mult / 2**shift for mult, shift in op.what.rescale]
    if op.what.parametric:
        make = (lambda r: float_multiplier(float(np.float32(r)))) if rounding == FLOAT else q31_multiplier
        return replace(op, what=replace(op.what, rescale=tuple(map(make, ratios)), rounding=rounding))
    if op.kind == Add.kind:
        return replace(
            op, what=replace(op.what, **of_join("tflm", Add, *ratios, 1.0))
        )  # all runtimes add alike
    return op


def measured(name: str, batch: int, rounds: int) -> dict:
    """Median time of a forward pass with each rounding over the contract's."""
    with TemporaryDirectory() as folder:
        work = prepare(name, Path(folder), batch, int8=False)
    engines = [
        CoreEngine(work.program_8bit if not r else in_rounding(work.program_8bit, r), threads=1)
        for r in range(len(NAMES))
    ]
    x, times = Batch.of(work.x_q[:batch]), np.zeros((rounds, len(engines)))
    for engine in engines:
        engine.outputs(x)
    for row in times:
        for column, engine in enumerate(engines):
            started = time.process_time()
            engine.outputs(x)
            row[column] = time.process_time() - started
    relative = np.median(times / times[:, :1], axis=0)
    return {
        "network": name,
        **{rounding: round(float(r), 3) for rounding, r in zip(NAMES, relative, strict=True)},
    }


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    given = arguments.parse_args()
    rows = [measured(name, given.batch, given.rounds) for name in given.networks]
    print(table(rows, {key: key for key in rows[0]}))
    if given.write:
        write("roundings", {"rows": rows})


if __name__ == "__main__":
    main()
