"""What each member of the paper's family brings next to the defaults, and what else may save passes.

    python benchmarks/learning/family.py --sets all --seeds 0 1 2
    python benchmarks/learning/family.py --sets bias last:2 --only base guide-60 momentum

Makes the rows that are missing, with run.py's own functions; benchmarks/fill_documents.py makes the tables of
docs/fewer-passes.md.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import torch
from common import RESULTS

from learning.run import Made, forward_only

ROWS = RESULTS / "family.json"
TASKS = ["speaker-lucas", "speaker-george", "clothes-turned", "writing-new-a"]
"""Of the choosing half."""

STEPS = 500

FAMILY: dict[str, dict[str, Any]] = {
    "base": {},
    "base-1000": {"steps": 1000},
    "momentum": {"momentum": 0.9},
    "adam": {"optimizer": "adam", "momentum": 0.9},
    "guide-60": {"guide": 0.6},
    "sharpness-1": {"sharpness": 1, "steps": 471},
    "magnitude": {"sparsity": 0.9, "mask": "magnitude"},
    "threshold": {"sparsity": 0.9, "mask": "threshold"},
    "random": {"sparsity": 0.9, "mask": "random"},
    "saliency": {"sparsity": 0.9, "mask": "saliency", "steps": 476},
    "half-saliency": {"sparsity": 0.5, "mask": "saliency", "steps": 476},
    "directions-4": {"directions": 4},
    "directions-8": {"directions": 8},
    "directions-32": {"directions": 32},
    "whole-4-of-32": {"directions": 4, "share_batch": False, "batch": 32},
    "rademacher": {"distribution": "rademacher"},
    "binomial": {"distribution": "binomial"},
    "sign": {"votes": "sign"},
    "absolute": {"sizes": "absolute", "epsilon": 3e-3, "lr": 4e-3},
    "8w8a": {"bits": "8w8a"},
    "8w8a-kernel": {"bits": "8w8a", "sizes": "kernel"},
}
"""What each sets besides the defaults, with half as many steps: differences show better before a run is done. All but
base-1000 send as many samples through the network, those of probes included."""


def main() -> None:
    """Make what is missing."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--tasks", nargs="+", default=TASKS)
    arguments.add_argument("--sets", nargs="+", default=["all"])
    arguments.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments.add_argument("--only", nargs="+", default=list(FAMILY), choices=list(FAMILY))
    given = arguments.parse_args()
    torch.set_num_threads(1)
    tasks = [Made(task, ROWS) for task in given.tasks]
    for train in given.sets:
        for name in given.only:
            settings = {"steps": STEPS, **FAMILY[name]}
            for made in tasks:
                forward_only(made, train, f"family-{name}", settings, given.seeds)


if __name__ == "__main__":
    main()
