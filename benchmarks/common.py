"""What every benchmark shares: where data is, what machine this is, how a result is written down."""

import json
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stepforward.bench.machine import describe

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
DATA = Path(os.environ.get("STEPFORWARD_DATA", ROOT.parent / "shared" / "data"))


def write(name: str, content: dict) -> None:
    """Write `benchmarks/results/NAME.json`, with the machine and the command that made it."""
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    record = {"command": command, "machine": describe(), **content}
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")


def table(rows: list[dict], columns: dict[str, str]) -> str:
    """A Markdown table; `columns` maps keys to headings."""
    lines = ["| " + " | ".join(columns.values()) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(str(row[key]) for key in columns) + " |" for row in rows]
    return "\n".join(lines)


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * share:.1f} %"


def signed_points(share: float) -> str:
    """A difference of shares in points, signed, with one decimal."""
    return f"{100 * share:+.1f}"


def paired_interval(differences: NDArray[np.floating]) -> tuple[float, float]:
    """The 95 % interval of the mean of differences on the same samples, one entry per sample: mean ± 1.96 s / √n.

    With entries that are means over seeds it holds for other samples of the same kind and these seeds.
    """
    mean, half = (
        float(np.mean(differences)),
        1.96 * float(np.std(differences, ddof=1)) / len(differences) ** 0.5,
    )
    return mean - half, mean + half


def kept_loss(result: dict) -> float:
    """The validation loss of the weights that a run kept."""
    return next(row["validation_loss"] for row in result["curve"] if row["step"] == result["kept_step"])
