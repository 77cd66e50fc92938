"""Int8 TensorFlow Lite files of MLPerf Tiny against the runtimes that programs of them name.

First, integers that differ, over every layer, on real samples; then files adapted on 200 samples, and what the runtime
makes of the file that is returned.

    python benchmarks/int8_runtimes.py [--samples 200] [--parts layers adapt] [--networks keywords ...]
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import DATA, RESULTS, ROOT, percent, table, write
from int8_data import FILES, real_samples, shifted

import stepforward as sf
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source
from stepforward.sources.tflite.file import load_tflite

sys.path.insert(0, str(ROOT / "tests" / "support"))
from int8_runtimes import NAMES, different, runtime  # what the tests compare with


def layer_row(network, samples):
    """Integers that differ, of how many, by runtime."""
    file = load_tflite(DATA / "pretrained" / "mlperf_tiny" / f"{FILES[network]}.tflite")
    source = file.tensors[file.inputs[0]]
    x = real_samples(network, source.shape[1:], samples)
    if network.startswith(("machine", "wake")):
        low, high = ((end - source.zero_point[0]) * source.scale[0] for end in (-128, 127))
        x = low + (x - x.min()) / (x.max() - x.min()) * (high - low)
    integers = np.clip(np.rint(x / source.scale[0]) + source.zero_point[0], -128, 127).astype(np.int8)
    found = {name: different(file, name, integers) for name in NAMES}
    return {
        "network": network,
        "samples": len(x),
        "layers": len(file.operators),
        "integers": found[NAMES[0]][1],
        **{name: wrong for name, (wrong, _) in found.items()},
    }


def adapt_row(network, name, train):
    """Accuracy before and after, and how often the runtime's answers to the returned file are right."""
    path = DATA / "pretrained" / "mlperf_tiny" / f"{FILES[network]}.tflite"
    data, (x, y) = shifted(network)
    with tempfile.TemporaryDirectory() as folder:
        result = sf.adapt(
            path, data, test=(x, y), out=Path(folder) / "run", train=train, runtime=name, progress=False
        )
        returned = open_source(Path(folder) / "run" / "adapted.tflite", runtime=name)
    integers = quantize_input(lower(returned.network()), x)
    go = runtime(name)(returned.model.content)
    right = sum(int(go(sample)[0].argmax() == label) for sample, label in zip(integers, y, strict=True))
    return {
        "network": network,
        "train": train,
        "runtime": name,
        "test_samples": len(y),
        "zero_shot": result.zero_shot_accuracy,
        "adapted": result.adapted_accuracy,
        "right": round(result.adapted_accuracy * len(y)),
        "right_in_the_runtime": right,
        "same_size": len(returned.model.content) == path.stat().st_size,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--parts", nargs="+", default=["layers", "adapt"], choices=["layers", "adapt"])
    parser.add_argument("--networks", nargs="+", default=[name.split()[0] for name in FILES])
    given = parser.parse_args()
    path = RESULTS / "int8_runtimes.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    found = {part: {row["network"]: row for row in kept.get(part, [])} for part in ("layers", "adapt")}
    for network in (name for name in FILES if name.split()[0] in given.networks):
        if "layers" in given.parts:
            found["layers"][network] = layer_row(network, given.samples)
            print(found["layers"][network], flush=True)
        if "adapt" in given.parts and not network.startswith(("machine", "wake")):
            found["adapt"][network] = adapt_row(network, "tflm", "head")
            print(found["adapt"][network], flush=True)
        write("int8_runtimes", {part: list(rows.values()) for part, rows in found.items()})
    print(
        table(
            list(found["layers"].values()),
            {k: k for k in ("network", "samples", "layers", "integers", *NAMES)},
        )
    )
    rows = [
        row | {"zero_shot": percent(row["zero_shot"]), "adapted": percent(row["adapted"])}
        for row in found["adapt"].values()
    ]
    print(table(rows, {k: k for k in ("network", "zero_shot", "adapted", "right", "right_in_the_runtime")}))


if __name__ == "__main__":
    main()
