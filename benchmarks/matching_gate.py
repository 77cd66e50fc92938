"""`adapt --method match` without labels on every kind of task.

Test accuracy as it is, with everything corrected, as strong as predictions say, and with steps on information after
it; statistics of the adaptation samples, 8-bit weights and activations. Speakers, clothes, keywords and handwriting of
both halves had been looked at when the rule was written, ResNet-8 and MobileNetV1 had not. Needs the data packs
(STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch]; some networks are trained the first time.
"""

import argparse
import json
from functools import partial

import torch
from common import RESULTS, write
from learning.tasks import people
from learning.tasks.halves import CORRUPTIONS, REPORTED, TASKS
from learning.tasks.table import make

import stepforward as sf
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.matching.matched import match, matched
from stepforward.matching.words import from_words
from stepforward.run.attempt import score_of
from stepforward.sources.open import open_source

PEOPLE = {
    "people-noise": ("MobileNetV1, person or not, noise", lambda x, rng: x + rng.normal(0, 0.12, x.shape)),
    "people-contrast": ("MobileNetV1, person or not, less contrast", lambda x, rng: (x - 0.5) * 0.3 + 0.5),
    "people-dark": ("MobileNetV1, person or not, dark", lambda x, rng: x * 0.3),
}
"""Tasks that this bench alone has; all of the reported half."""

STEPS = 40
"""That follow a matching where they are asked for."""

NAMES = [name for name, entry in TASKS.items() if entry.kind in ("speakers", "clothes", "keywords")]
NAMES += [
    "writing-right",
    "writing-left",
    *(f"resnet8-{c}-5" for c, half in CORRUPTIONS.items() if half == REPORTED),
]
NAMES += list(PEOPLE)


def measured(name):
    """One row."""
    words, half, maker = described(name)
    task = maker()
    source = open_source(task.base("8w8a"))
    program = lower(source.network())
    found = match(
        program, from_words(source.statistics, program, name), quantize_input(program, task.data[0]), 1
    )
    whole = matched(program, {one.site.name: one.constants for one in found if one.share})
    adapt = partial(sf.adapt, source.model, task.data[0], test=task.test, method="match", threads=1)
    result, stepped = adapt(), adapt(steps=STEPS)
    return {
        "name": name,
        "task": words,
        "half": half,
        "source": percent(result["zero_shot_accuracy"]),
        "whole": percent(score_of(whole, quantize_input(program, task.test[0]), task.test[1], 1).accuracy),
        "strength": result["strength"] if result["kept"] == "matched" else 0,
        "matched": percent(result["adapted_accuracy"]),
        "bits": [round(result["information_before"], 2), round(result["information_after"], 2)],
        "kept": result["kept"],
        "stepped": percent(stepped["adapted_accuracy"]),
        "kept_step": stepped["kept_step"],
    }


def described(name):
    """What a task is called, its half, and what makes it."""
    if name in PEOPLE:
        words, change = PEOPLE[name]
        return words, "reported", partial(people.distorted, change)
    return TASKS[name].words, TASKS[name].half, partial(make, name)


def percent(share):
    """With one decimal."""
    return round(100 * share, 1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--tasks", nargs="+", default=NAMES, help="the rows of all others stay; default: all"
    )
    given = arguments.parse_args()
    torch.set_num_threads(1)
    path = RESULTS / "matching_gate.json"
    rows = {row["name"]: row for row in json.loads(path.read_text())["rows"]} if path.exists() else {}
    for name in given.tasks:
        rows[name] = measured(name)
        print(rows[name], flush=True)
        write("matching_gate", {"rows": [rows[name] for name in NAMES if name in rows]})


if __name__ == "__main__":
    main()
