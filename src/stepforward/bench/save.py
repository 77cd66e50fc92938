"""Write a benchmark down."""

import json
import sys
from pathlib import Path

from stepforward.errors import StepforwardError
from stepforward.files import plain, write_atomically


def save(result: dict, folder: Path) -> None:
    """Write `speed.json`.

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
