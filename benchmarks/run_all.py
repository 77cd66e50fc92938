"""Run every benchmark, one after another; each writes its JSON to benchmarks/results."""

import subprocess
import sys
from pathlib import Path

from common import DATA, RESULTS

HERE = Path(__file__).parent
SPEED = [str(Path(sys.executable).with_name("stepforward")), "bench", "--out", str(RESULTS)]
SCRIPTS = [
    "instructions.py",
    "time_to_accuracy.py",
    "device_instructions.py",
    "fill_documents.py",
    "exactness.py",
    "equality.py",
    "demo_methods.py",
    "choices.py",
]


def main():
    scripts = [*SCRIPTS, "corrupted_cifar.py"] if (DATA / "cifar10").exists() else SCRIPTS
    for words in (SPEED, *([sys.executable, str(HERE / script)] for script in scripts)):
        print(f"== {' '.join(words[1:])}", flush=True)
        subprocess.run(words, check=True)
    if scripts is SCRIPTS:
        print(f"corrupted_cifar.py was left out: no data at {DATA} (see docs/benchmarks.md)")


if __name__ == "__main__":
    main()
