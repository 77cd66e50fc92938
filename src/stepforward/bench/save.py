"""Write a benchmark down: JSON, Markdown tables, plots."""

import json
import sys
from pathlib import Path

from stepforward.bench.markdown import TABLES
from stepforward.bench.plots import PLOTS
from stepforward.errors import StepforwardError
from stepforward.files import plain, write_atomically


def save(result: dict, folder: Path) -> None:
    """Write `speed.json`, `speed.md` and `speed-*.svg`.

    Raises:
        StepforwardError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StepforwardError(f"cannot make {folder}: {error.strerror}", "choose another --out") from error
    words = ["stepforward", *sys.argv[1:]]
    text = json.dumps(plain({"command": " ".join(words), **result}), indent=1, allow_nan=False)
    write_atomically(folder / "speed.json", text.encode() + b"\n")
    sections = [f"## {title}\n\n{make(result)}\n" for title, make in TABLES.values()]
    write_atomically(folder / "speed.md", "\n".join(sections).encode())
    for name, draw in PLOTS.items():
        write_atomically(folder / f"speed-{name}.svg", draw(result))
