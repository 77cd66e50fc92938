"""Run every benchmark, one after another; each writes its JSON to benchmarks/results."""

import subprocess
import sys
from pathlib import Path

from common import DATA

HERE = Path(__file__).parent
SCRIPTS = ["exactness.py", "demo_methods.py", "choices.py"]


def main():
    scripts = [*SCRIPTS, "corrupted_cifar.py"] if (DATA / "cifar10").exists() else SCRIPTS
    for script in scripts:
        print(f"== {script}", flush=True)
        subprocess.run([sys.executable, str(HERE / script)], check=True)
    if scripts is SCRIPTS:
        print(f"corrupted_cifar.py was left out: no data at {DATA} (see docs/benchmarks.md)")


if __name__ == "__main__":
    main()
