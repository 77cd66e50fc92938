"""Hashes of every integer that training gives, to compare before and after a change that must not move a bit.

    python benchmarks/golden_hashes.py             # compare with benchmarks/results/golden_hashes.json
    python benchmarks/golden_hashes.py --record    # write them down

Fifty random networks over formats, kinds of layer, rows and memory (tests/support/random_networks.py); the demo in the
defaults and in the first release's settings; ResNet-20 with its biases and with all its weights in the latter. A hash
is over integers in the order of tensors, not over files, so formats may change. ResNet-20 needs the data
(STEPFORWARD_DATA, see docs/benchmarks.md) and the extra [torch]; without them it is left out and said so.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from common import DATA, RESULTS, ROOT, write

import stepforward as sf
from stepforward.journal import read
from stepforward.lowering.lower import lower
from stepforward.presets import with_preset
from stepforward.program.weights import unpack_all
from stepforward.sources.open import open_source

sys.path.insert(0, str(ROOT / "tests" / "support"))
from random_networks import CYCLE, random_case, run

STRIDE = (
    7 * 29
)  # shares no factor with CYCLE, so that the networks differ in everything that is counted through
STEPS = 30


def digest(*parts: Iterable[int] | np.ndarray) -> str:
    """SHA-256 of integers, each as 8 bytes, every part after its length."""
    sha = hashlib.sha256()
    for part in parts:
        numbers = np.asarray(part, dtype=np.int64).ravel()
        sha.update(np.int64(numbers.size).tobytes() + numbers.tobytes())
    return sha.hexdigest()


def random_networks() -> Iterator[tuple[str, str]]:
    """Losses, votes, weights and logits of fifty networks."""
    for i in range(50):
        case = random_case(i * STRIDE % CYCLE)
        yield f"network {case.number}", digest(run(case, case.core()))


def of_run(folder: Path) -> dict[str, str]:
    """Votes, validation losses and weights that a run leaves in its folder."""
    journal = read(folder / "journal")
    program = lower(open_source(folder / "adapted.onnx").network())
    return {
        "votes": digest(journal.votes),
        "losses": digest([entry.loss for entry in journal.evaluations]),
        "weights": digest(*unpack_all(program).values()),
    }


def runs(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The demo and, where its data is there, ResNet-20."""
    for preset in (None, "first-release"):
        out = folder / f"demo, {preset or 'defaults'}"
        sf.demo(out, **with_preset(preset, {"steps": 200}))
        yield out.name, of_run(out)
    if not (DATA / "cifar10").exists():
        print(f"resnet20: left out, no data at {DATA}")
        return
    from corrupted_cifar import images_of, network

    base = sf.quantize(network(), images_of("train", None, 256, 0)[0], calibration="minmax")
    data = images_of("train", "noise", 200, 1)
    for train, lr in (("bias", 2e-2), ("all", 2e-3)):
        out = folder / f"resnet20 {train}"
        own = {"lr": lr, "steps": STEPS, "batch": 64, "evaluate_every": 10}
        sf.adapt(base, data, train=train, preset="first-release", out=out, **own)
        yield out.name, of_run(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="write the hashes down")
    record = parser.parse_args().record
    found = dict(random_networks())
    with tempfile.TemporaryDirectory() as folder:
        for name, hashes in runs(Path(folder)):
            found |= {f"{name}, {what}": value for what, value in hashes.items()}
    if record:
        write("golden_hashes", {"hashes": found})
        return
    wanted = json.loads((RESULTS / "golden_hashes.json").read_text())["hashes"]
    for name in sorted(set(wanted) - set(found)):
        print(f"{name}: not computed")
    differing = [name for name in found if found[name] != wanted.get(name)]
    for name in differing:
        print(f"{name}: {found[name]} instead of {wanted.get(name)}")
    print(f"{len(found) - len(differing)} of {len(found)} hashes are equal")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
