"""MCUNet's int8 networks: every layer's integers next to a plain evaluation in NumPy and to runtimes, and one `adapt`.

    python benchmarks/mcunet.py [--samples 40] [--parts layers adapt]

Images are CIFAR-10's, enlarged to 128 x 128. To adapt, each of its ten classes is the nearest one of ImageNet.
Needs the data (STEPFORWARD_DATA, see docs/benchmarks.md), the extras [tflite] and [tflite-test].
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import DATA, RESULTS, ROOT, percent, table, write
from numpy.typing import NDArray
from PIL import Image

import stepforward as sf
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source
from stepforward.sources.tflite.file import parse

sys.path.insert(0, str(ROOT / "tests" / "support"))
from int8_runtimes import NAMES, different, layers, runtime  # what the tests compare with
from zoo import mcunet

NEAREST = {  # of CIFAR-10's classes, numbers in ImageNet
    "airplane": 404,  # airliner
    "automobile": 817,  # sports car
    "bird": 13,  # junco
    "cat": 281,  # tabby
    "deer": 353,  # gazelle
    "dog": 207,  # golden retriever
    "frog": 30,  # bullfrog
    "horse": 339,  # sorrel
    "ship": 510,  # container ship
    "truck": 867,  # trailer truck
}


def images(part: str, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(count, 128, 128, 3) from -1 to 1, and their classes in ImageNet."""
    with np.load(DATA / "cifar10" / f"{part}.npz", allow_pickle=False) as file:
        found, y = file["images"][:count], file["label"][:count]
    side = (mcunet.SIDE, mcunet.SIDE)
    x = [np.asarray(Image.fromarray(one).resize(side, Image.Resampling.BICUBIC)) for one in found]
    return np.stack(x).astype(np.float32) / 127.5 - 1, np.array(list(NEAREST.values()))[y]


def layer_row(title: str, samples: int) -> dict:
    """Integers of all layers that differ, of how many."""
    file = parse(mcunet.tflite(mcunet.NAMES[title]), title)
    x, _ = images("test", samples)
    scale, zero = mcunet.layers(mcunet.NAMES[title])[0].x[0]
    integers = np.clip(np.rint(x / scale) + zero, -128, 127).astype(np.int8)
    plain, ours = mcunet.evaluated(mcunet.NAMES[title], integers), layers(file, "tflm", integers)
    compared = [(q, ours[name].reshape(q.shape)) for name, q in plain.items()]
    runtimes = {name: different(file, name, integers) for name in NAMES}
    return {
        "network": title,
        "samples": samples,
        "layers": len(compared),
        "integers": sum(q.size for q, _ in compared),
        "plain": sum(int((q != other).sum()) for q, other in compared),
        "logits": int((compared[-1][0] != compared[-1][1]).sum()),
        "runtime_integers": runtimes[NAMES[0]][1],
        **{name: wrong for name, (wrong, _) in runtimes.items()},
    }


def adapt_row(title: str, train: str, name: str = "tflm") -> dict:
    """Accuracy before and after on other images, and how many the runtime classifies correctly by the returned file."""
    x, y = images("train", 300)
    test_x, test_y = images("test", 600)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "given.tflite"
        path.write_bytes(mcunet.tflite(mcunet.NAMES[title]))
        result = sf.adapt(
            path, (x, y), test=(test_x, test_y), out=Path(folder) / "run", train=train, runtime=name, progress=False
        )  # fmt: skip
        returned = open_source(Path(folder) / "run" / "adapted.tflite", runtime=name)
        same_size = len(returned.model.content) == path.stat().st_size
    go = runtime(name)(returned.model.content)
    integers = quantize_input(lower(returned.network()), test_x)
    answers = np.array([go(sample)[0].argmax() for sample in integers])
    return {
        "network": title,
        "train": train,
        "runtime": name,
        "test_samples": len(test_y),
        "zero_shot": result.zero_shot_accuracy,
        "adapted": result.adapted_accuracy,
        "right": round(result.adapted_accuracy * len(test_y)),
        "right_in_the_runtime": int((answers == test_y).sum()),
        "same_size": same_size,
    }


def main() -> None:
    """Measure, keep what other parts measured, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--parts", nargs="+", default=["layers", "adapt"], choices=["layers", "adapt"])
    given = parser.parse_args()
    path = RESULTS / "mcunet.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    found = {part: found.get(part, []) for part in ("layers", "adapt")}
    if "layers" in given.parts:
        found["layers"] = [layer_row(title, given.samples) for title in mcunet.NAMES]
    if "adapt" in given.parts:
        found["adapt"] = [adapt_row(next(iter(mcunet.NAMES)), "head")]
    write("mcunet", found)
    print(
        table(found["layers"], {k: k for k in ("network", "layers", "integers", "plain", "logits", *NAMES)})
    )
    rows = [
        row | {"zero_shot": percent(row["zero_shot"]), "adapted": percent(row["adapted"])}
        for row in found["adapt"]
    ]
    print(table(rows, {k: k for k in ("network", "zero_shot", "adapted", "right", "right_in_the_runtime")}))


if __name__ == "__main__":
    main()
