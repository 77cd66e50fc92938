"""Random networks, trained: the C core against the NumPy reference, bit for bit.

Each network (tests/support/random_networks.py) runs through inference, training steps and inference again, on every
level of kernels that this machine can run. Compares logits, losses, votes and weights; prints what differs.

    make -C src/stepforward/core levels
    python benchmarks/equality.py --programs 10000            # seeds 0 .. 9999
    python benchmarks/equality.py --programs 5000 --first 10000
    python benchmarks/equality.py --programs 20000 --resume   # continue after the last seed that was written down
"""

import argparse
import collections
import json
import os
import sys
import time

from common import RESULTS, ROOT, write

sys.path.insert(0, str(ROOT / "tests" / "support"))
import random_networks

from stepforward.core.bindings import library
from stepforward.engines.reference import ReferenceEngine

LEVELS = ROOT / "build" / "core" / "level"
WRITTEN_EVERY = 500


def levels() -> dict[str, str]:
    """Shared libraries by level: the package's own, and those that `make levels` built."""
    built = {path.stem: str(path) for path in sorted(LEVELS.glob("*.so")) if "guarded" not in path.stem}
    return {"this machine": "", **built}


def choose(path: str) -> None:
    """Make `path` the core from here on."""
    library.cache_clear()
    os.environ.pop("STEPFORWARD_CORE", None)
    if path:
        os.environ["STEPFORWARD_CORE"] = path


def differing(found: list[int], expected: list[int]) -> tuple[int, int]:
    """Integers and bits in which two lists differ."""
    pairs = [(a, b) for a, b in zip(found, expected, strict=True) if a != b]
    return len(pairs), sum(((a ^ b) & (1 << 64) - 1).bit_count() for a, b in pairs)


def compare(
    number: int, cores: dict[str, str], total: collections.Counter, formats: collections.Counter
) -> None:
    """One network on every level."""
    case = random_networks.random_case(number)
    expected = random_networks.run(case, ReferenceEngine(case.program, case.plan))
    formats[random_networks.chosen(number)[0]] += 1
    for name, path in cores.items():
        choose(path)
        integers, bits = differing(random_networks.run(case, case.core()), expected)
        total["runs"] += 1
        total["integers"] += len(expected)
        total["differing integers"] += integers
        total["differing bits"] += bits
        if integers:
            print(f"program {number} on {name}: {integers} of {len(expected)} integers differ", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--resume", action="store_true", help="continue after the last seed of the results")
    chosen, cores = parser.parse_args(), levels()
    total, formats, first, end = (
        collections.Counter(),
        collections.Counter(),
        chosen.first,
        chosen.first + chosen.programs,
    )
    path, seconds = RESULTS / "equality.json", 0.0
    if chosen.resume and path.exists():
        old = json.loads(path.read_text())
        if old["levels"] != list(cores) or old["first"] != first:
            sys.exit("the results are those of other levels or of another first seed: start without --resume")
        total, formats = collections.Counter(old["total"]), collections.Counter(old["formats"])
        seconds, chosen.first = old["seconds"], old["end"]
    begin = time.monotonic()
    for number in range(chosen.first, end):
        compare(number, cores, total, formats)
        if (number + 1 - first) % WRITTEN_EVERY == 0 or number + 1 == end:
            took = round(seconds + time.monotonic() - begin, 1)
            facts = {"first": first, "end": number + 1, "programs": number + 1 - first, "levels": list(cores)}
            write("equality", facts | {"total": dict(total), "formats": dict(formats), "seconds": took})
            print(f"{number + 1 - first} programs, {dict(total)}, {took} s", flush=True)
    if total["differing bits"]:
        sys.exit("the core differs from the reference")


if __name__ == "__main__":
    main()
