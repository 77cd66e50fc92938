"""What every benchmark shares: where data is, what machine this is, how a result is written down."""

import json
import os
import sys
from pathlib import Path

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
