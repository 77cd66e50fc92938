"""Statistics matching on corrupted images: ResNet-20 (8w8a, integers), 15 corruptions at severity 5 and clean images.

A stream is adapted to while it is predicted, without labels: in batches of 64, layer by layer, or one sample at a time
as a device does it. Label shift: streams that hold one, two or five classes. Needs the data packs (STEPFORWARD_DATA,
see docs/benchmarks.md) and the extra [torch]. No randomness: the first images of each corruption, in their order.
"""

import argparse

import numpy as np
from common import DATA, write
from corrupted_cifar import MEAN, STD, images_of, network

import stepforward as sf
from stepforward.engines.core import CoreEngine
from stepforward.engines.matching import MatchingEngine
from stepforward.engines.protocol import logits_of
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.matching.online import Online
from stepforward.matching.plan import for_matching
from stepforward.matching.words import from_words
from stepforward.sources.open import open_source

STREAMS = {
    "one class": [(c,) for c in range(10)],
    "two classes": [(0, 1), (2, 7), (3, 5), (4, 8), (6, 9)],
    "five classes": [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)],
}


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
    arguments.add_argument("--stream-images", type=int, default=100, help="of each label-shifted stream")
    given = arguments.parse_args()
    clean, _ = images_of("train", None, 512, 0)
    source = open_source(sf.quantize(network(), clean, bits="8w8a"))
    program = lower(source.network())
    references = from_words(source.statistics, program, "ResNet-20")
    corrupted = np.load(DATA / "cifar10c" / "severity5.npz", allow_pickle=False)
    test = np.load(DATA / "cifar10" / "test.npz", allow_pickle=False)

    def inputs(images):
        x = ((images / 255.0).astype(np.float32) - MEAN) / STD
        return quantize_input(program, np.ascontiguousarray(x.transpose(0, 3, 1, 2)))

    sets = {name: (corrupted[name], corrupted["label"]) for name in corrupted.files if name != "label"}
    sets["clean"] = (test["images"][:1000], test["label"][:1000])
    rows = {}
    for name, (images, labels) in sets.items():
        row = {}
        for way, count, batch in (
            ("batch 64", given.images, 64),
            ("one at a time", given.online_images, 1),
        ):
            if not count:
                continue
            x, y = inputs(images[:count]), labels[:count]
            before = int((logits_of(CoreEngine(program), x).argmax(axis=1) == y).sum())
            after = correct(program, references, x, y, batch)
            row[way] = {
                "images": len(y),
                "source": round(100 * before / len(y), 1),
                "matched": round(100 * after / len(y), 1),
            }
        rows[name] = row
        print(name, row, flush=True)
    streams = {}
    ways = [("batch 64", 64), *([("one at a time", 1)] if given.online_images else [])]
    for name in ("clean", "contrast"):
        x, labels = inputs(sets[name][0]), sets[name][1]
        for kind, parts in STREAMS.items():
            found = dict.fromkeys(("images", "source", *(way for way, _ in ways)), 0)
            for part in parts:
                chosen = np.flatnonzero(np.isin(labels, part))[: given.stream_images]
                plain = logits_of(CoreEngine(program), x[chosen]).argmax(axis=1)
                found["images"] += len(chosen)
                found["source"] += int((plain == labels[chosen]).sum())
                for way, batch in ways:
                    found[way] += correct(program, references, x[chosen], labels[chosen], batch)
            streams[f"{name}, {kind}"] = {
                key: value if key == "images" else round(100 * value / found["images"], 1)
                for key, value in found.items()
            }
            print(name, kind, streams[f"{name}, {kind}"], flush=True)
    means = {
        way: {
            key: round(float(np.mean([row[way][key] for name, row in rows.items() if name != "clean"])), 1)
            for key in ("source", "matched")
        }
        for way in rows["clean"]
    }
    print(means)
    write("matching", {"options": vars(given), "corruptions": rows, "mean_of_15": means, "streams": streams})


if __name__ == "__main__":
    main()
