"""Two hundred steps on three engines: NumPy reference, C core here, C core on a Cortex-M4 under QEMU.

Compares logits, losses, votes and the SHA-256 of the weights: for the runs of the firmware (every operator,
s16/s8/s4 weights, momentum, paper formulas) on all three, and for the demo's speech network on reference and core.
"""

import hashlib
import os
import subprocess
import sys

from common import ROOT, table, write

sys.path.insert(0, str(ROOT / "firmware"))
import make_inputs

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import PLAIN, Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.methods.trials import both_sides

STEPS = 200


def on_host(run, engine):
    """Facts of a run: votes, then weights, logits and losses after all steps."""
    m = run.plan.directions
    steps = qzo_ff(engine, lambda step: Batch.of(run.x, run.y), range(STEPS), m, run.plan.share_batch)
    votes = [step.votes for step in steps]
    losses = engine.losses(STEPS, Batch.of(run.x, run.y), [PLAIN, *both_sides(len(run.y), m, False)])
    return {
        "votes": votes,
        "weights": hashlib.sha256(engine.snapshot().weights).hexdigest(),
        "logits": logits_of(engine, run.x).tolist(),
        "losses": losses,
    }


def on_device(name, run):
    """The same facts as the emulated microcontroller prints them."""
    command = ["make", "-s", "-C", str(ROOT / "firmware"), "run", f"RUN={name}", f"STEPS={STEPS}"]
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    command.append(f"PYTHON={sys.executable}")
    text = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    rows = [line.split() for line in text.splitlines()]
    last = str(STEPS)
    return {
        "votes": [tuple(map(int, row[2:])) for row in rows if row[0] == "votes"],
        "weights": next(row[2] for row in rows if row[:2] == ["weights", last]),
        "logits": [list(map(int, row[3:])) for row in rows if row[:2] == ["logits", last]],
        "losses": next(list(map(int, row[2:])) for row in rows if row[:2] == ["losses", last]),
    }


def main():
    runs = {**make_inputs.small_runs(STEPS), "digits": make_inputs.digits_run(STEPS)}
    rows = []
    for name, run in runs.items():
        facts = {"reference": on_host(run, ReferenceEngine(run.program, run.plan))}
        facts["C core"] = on_host(run, CoreEngine(run.program, run.plan))
        if name != "digits":  # 200 steps of it are 10^11 emulated instructions; the tests run 2
            facts["Cortex-M4"] = on_device(name, run)
        first = facts["reference"]
        equal = {key: all(other[key] == first[key] for other in facts.values()) for key in first}
        row = {"run": name, "engines": ", ".join(facts), "steps": STEPS, **equal, "sha256": first["weights"]}
        print(row, flush=True)
        rows.append(row)
    shown = [{**row, "sha256": f"`{row['sha256'][:16]}`"} for row in rows]
    columns = ("run", "engines", "steps", "logits", "losses", "votes", "weights", "sha256")
    print(table(shown, {name: name for name in columns}))
    write("exactness", {"runs": rows})
    if not all(row[key] for row in rows for key in ("logits", "losses", "votes", "weights")):
        sys.exit("an engine disagrees with the reference")


if __name__ == "__main__":
    main()
