"""`adapt --method match` without labels on every kind of task.

Test accuracy as it is, with everything corrected, and as strong as predictions say; statistics of the adaptation
samples, 8-bit weights and activations. The rule was chosen on the choosing half (`learning/tasks/halves.py`). Needs the
data packs (STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch]; some networks are trained the first time.
"""

import argparse

import torch
from common import table, write
from learning.tasks.halves import CORRUPTIONS, TASKS
from learning.tasks.table import make

import stepforward as sf
from stepforward.arithmetic.matching import WHOLE
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.matching.matched import match, matched
from stepforward.matching.words import from_words
from stepforward.run.attempt import score_of
from stepforward.sources.open import open_source

NAMES = [name for name, entry in TASKS.items() if entry.kind in ("speakers", "clothes", "keywords")]
NAMES += ["writing-right", "writing-left", *(f"resnet8-{corruption}-5" for corruption in CORRUPTIONS)]


def measured(name):
    """One row."""
    task = make(name)
    source = open_source(task.base("8w8a"))
    program = lower(source.network())
    found = match(
        program, from_words(source.statistics, program, name), quantize_input(program, task.data[0]), 1
    )
    whole = matched(program, {one.site.name: one.constants for one in found if one.share})
    result = sf.adapt(source.model, task.data[0], test=task.test, method="match", threads=1)
    return {
        "task": TASKS[name].words,
        "half": TASKS[name].half,
        "source": percent(result["zero_shot_accuracy"]),
        "whole": percent(score_of(whole, quantize_input(program, task.test[0]), task.test[1], 1).accuracy),
        "strength": result["strength"] if result["kept"] == "matched" else 0,
        "matched": percent(result["adapted_accuracy"]),
        "bits": [round(result["information_before"], 2), round(result["information_after"], 2)],
        "kept": result["kept"],
    }


def percent(share):
    """With one decimal."""
    return round(100 * share, 1)


def gate(result):
    """The table of docs/results.md."""
    rows = [row | {"strength": f"{row['strength'] * WHOLE // 64:.0f}/4"} for row in result["rows"]]
    return table(
        rows,
        {
            "half": "half", "task": "task", "source": "as it is", "whole": "corrected whole", "strength": "strength",
            "matched": "`--method match`",
        },
    )  # fmt: skip


TABLES = {"matching_gate": gate}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tasks", nargs="+", default=NAMES)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in given.tasks:
        rows.append(measured(name))
        print(rows[-1], flush=True)
    write("matching_gate", {"rows": rows})


if __name__ == "__main__":
    main()
