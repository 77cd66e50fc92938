"""Statistics matching on corrupted images: ResNet-20 (8w8a, integers), 15 corruptions at severity 5 and clean images.

A stream is adapted to while it is predicted, without labels: in batches of 64, layer by layer, or one sample at a time
as a device does it. Or all images are matched at once, and steps follow. Label shift: streams that hold one, two or
five classes. Needs the data packs (STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch]. The first images of
each corruption, in their order, and seed 0. What was measured is kept in `build/matching.json`, and a run that was
stopped continues there.
"""

import argparse
import hashlib
import json

import numpy as np
from common import DATA, ROOT, write
from corrupted_cifar import MEAN, STD, images_of, network

import stepforward as sf
from stepforward.engines.core import CoreEngine
from stepforward.engines.matching import MatchingEngine
from stepforward.engines.protocol import logits_of
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.matching.online import Online
from stepforward.matching.plan import for_matching
from stepforward.matching.words import from_words, to_words
from stepforward.sources.open import open_source

STEPS = 40
"""That follow a matching of all images at once."""

STREAMS = {
    "one class": [(c,) for c in range(10)],
    "two classes": [(0, 1), (2, 7), (3, 5), (4, 8), (6, 9)],
    "five classes": [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)],
}


KEPT = ROOT / "build" / "matching.json"
"""Rows of the present options, base and references."""


def kept(of, name, measure):
    """The row of that name that an earlier run of the same things measured, or what `measure` gives now."""
    found = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if found.get("of") != of:
        found = {"of": of, "rows": {}}
    if name not in found["rows"]:
        found["rows"][name] = measure()
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps(found))
        print(name, found["rows"][name], flush=True)
    return found["rows"][name]


def correct(program, references, x, y, batch):
    """How many of a stream are classified correctly while it is adapted to."""
    if batch == 1:  # a device predicts first, and then its constants follow
        found = MatchingEngine(program, for_matching(program, references)).follow(x)
        return int((found.argmax(axis=1) == y).sum())
    online, right = Online(program, references), 0
    for at in range(0, len(x), batch):
        block = x[at : at + batch]
        online.see(block)
        found = logits_of(CoreEngine(online.program), block)
        right += int((found.argmax(axis=1) == y[at : at + batch]).sum())
    return right


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=500, help="of each corruption, in batches")
    arguments.add_argument("--online-images", type=int, default=0, help="of each corruption, one at a time")
    arguments.add_argument(
        "--stepped-images",
        type=int,
        default=0,
        help="of each corruption, at once, and then steps on information",
    )
    arguments.add_argument("--stream-images", type=int, default=100, help="of each label-shifted stream")
    given = arguments.parse_args()
    clean, _ = images_of("train", None, 512, 0)
    source = open_source(sf.quantize(network(), clean, bits="8w8a"))
    program = lower(source.network())
    references = from_words(source.statistics, program, "ResNet-20")
    corrupted = np.load(DATA / "cifar10c" / "severity5.npz", allow_pickle=False)
    test = np.load(DATA / "cifar10" / "test.npz", allow_pickle=False)

    def normalized(images):
        x = ((images / 255.0).astype(np.float32) - MEAN) / STD
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2))

    def inputs(images):
        return quantize_input(program, normalized(images))

    sets = {name: (corrupted[name], corrupted["label"]) for name in corrupted.files if name != "label"}
    sets["clean"] = (test["images"][:1000], test["label"][:1000])
    digest = hashlib.sha256(json.dumps(to_words(references, 0)).encode()).hexdigest()
    of = {"options": vars(given), "base": program.weights_sha256, "references": digest}
    ways = {"batch 64": (given.images, 64), "one at a time": (given.online_images, 1)}
    stepped = given.stepped_images
    ways = {way: numbers for way, numbers in ways.items() if numbers[0]}

    def corruption(name):
        row = {}
        for way, (count, batch) in ways.items():
            x, y = inputs(sets[name][0][:count]), sets[name][1][:count]
            before = int((logits_of(CoreEngine(program), x).argmax(axis=1) == y).sum())
            after = correct(program, references, x, y, batch)
            row[way] = {
                "images": len(y),
                "source": round(100 * before / len(y), 1),
                "matched": round(100 * after / len(y), 1),
            }
        if stepped:
            row["all at once"] = at_once(sets[name][0][:stepped], sets[name][1][:stepped])
        return row

    def at_once(images, y):
        x = normalized(images)
        plain, further = (
            sf.adapt(
                source.model, x, test=(x, y.astype(np.int64)), method="match", steps=steps, progress=False
            )
            for steps in (0, STEPS)
        )
        return {
            "images": len(y),
            "source": round(100 * plain["zero_shot_accuracy"], 1),
            "matched": round(100 * plain["adapted_accuracy"], 1),
            "stepped": round(100 * further["adapted_accuracy"], 1),
            "kept_step": further["kept_step"],
            "seconds": round(further["seconds"], 1),
            "bits": [round(further[f"steps_information_{when}"], 3) for when in ("before", "after")],
        }

    def stream(name, parts):
        x, labels = inputs(sets[name][0]), sets[name][1]
        stepped_too = stepped and name == "clean" and len(parts) < 10
        steps = ("at once", "stepped") if stepped_too else ()
        found = dict.fromkeys(("images", "source", *ways, *steps), 0)
        for part in parts:
            chosen = np.flatnonzero(np.isin(labels, part))[: given.stream_images]
            plain = logits_of(CoreEngine(program), x[chosen]).argmax(axis=1)
            found["images"] += len(chosen)
            found["source"] += int((plain == labels[chosen]).sum())
            for way, (_, batch) in ways.items():
                found[way] += correct(program, references, x[chosen], labels[chosen], batch)
            if steps:
                own = at_once(sets[name][0][chosen], labels[chosen])
                found["at once"] += len(chosen) * own["matched"] / 100
                found["stepped"] += len(chosen) * own["stepped"] / 100
        return {
            key: value if key == "images" else round(100 * value / found["images"], 1)
            for key, value in found.items()
        }

    rows = {name: kept(of, name, lambda name=name: corruption(name)) for name in sets}
    streams = {
        f"{name}, {kind}": kept(of, f"{name}, {kind}", lambda name=name, parts=parts: stream(name, parts))
        for name in ("clean", "contrast")
        for kind, parts in STREAMS.items()
    }
    means = {
        way: {
            key: round(float(np.mean([row[way][key] for name, row in rows.items() if name != "clean"])), 1)
            for key in ("source", "matched", "stepped")
            if key in rows["clean"][way]
        }
        for way in rows["clean"]
    }
    print(means)
    write("matching", {"options": vars(given), "corruptions": rows, "mean_of_15": means, "streams": streams})


if __name__ == "__main__":
    main()
