"""The way of `adapt`'s model through the package: files it enters, and how often it is handed back up.

    python tools/path_of.py            # every file once, in order, then the two counts
    python tools/path_of.py --calls    # and every return that counts

Runs `stepforward adapt` on the demo's float network (one step) and watches every call until the engine is made.

- The model is: its path (but not a string that names it in messages), an ONNX proto, an `onnx_ir` model, and what is
  made of it as a whole: a source, a network, a program. An `onnx_ir` graph is not: a pass is handed the graph alone, by
  a file that counts.
- A value holds the model if it is one of these, or a tuple, list or dataclass with one of these among its entries.
- A file is entered when one of its functions is called with such a value among its arguments, or returns one.
- A return counts when a function gives such a value back to a function in another file of the package.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from stepforward import cli
from stepforward.cli.main import main as command
from stepforward.digits.clips import load_clips, model_path
from stepforward.engines.core import CoreEngine
from stepforward.network.network import Network
from stepforward.program.model import Program
from stepforward.sources.open import open_source
from stepforward.sources.source import Source

PACKAGE = Path(cli.__file__).parents[1]
FORMS = (onnx.ModelProto, ir.Model, Source, Network, Program)
START = str(PACKAGE / "cli" / "adapt.py")


class Way:
    """What was seen so far.

    Attributes:
        files: entered, in order.
        returns: (from, to), how often.
    """

    def __init__(self, model: Path):
        self.model = model
        self.files: dict[str, None] = {}
        self.returns: Counter[tuple[str, str]] = Counter()
        self.begun = self.done = False

    def see(self, frame: FrameType, event: str, value: Any) -> None:
        """What `sys.setprofile` calls."""
        code = frame.f_code
        if self.done or event not in ("call", "return") or not code.co_filename.startswith(str(PACKAGE)):
            return
        self.begun = self.begun or code.co_filename == START
        if not self.begun:
            return
        here = _short(code.co_filename)
        if event == "call":
            count = code.co_argcount + code.co_kwonlyargcount
            given = (frame.f_locals.get(name) for name in code.co_varnames[:count])
            if any(map(self.holds, given)):
                self.files.setdefault(here)
        elif self.holds(value):
            self.files.setdefault(here)
            caller = _caller(frame)
            if caller is not None and caller != here:
                self.returns[f"{here} {code.co_qualname}", caller] += 1
        if event == "return" and code is CoreEngine.__init__.__code__:
            self.done = True

    def holds(self, value: Any, inner: bool = True) -> bool:
        """Whether a value is the model in one of its forms, or has it among its entries."""
        if isinstance(value, Path):
            return value == self.model
        if isinstance(value, FORMS):
            return True
        if not inner:
            return False
        if isinstance(value, tuple | list):
            return any(self.holds(entry, False) for entry in value)
        if is_dataclass(value) and not isinstance(value, type):
            return any(self.holds(getattr(value, entry.name, None), False) for entry in fields(value))
        return False


def _short(file: str) -> str:
    return str(Path(file).relative_to(PACKAGE))


def _caller(frame: FrameType) -> str | None:
    """The file of the package whose function gets the value; None outside of it."""
    above = frame.f_back
    while above is not None and not above.f_code.co_filename.startswith(str(PACKAGE)):
        above = above.f_back
    return None if above is None else _short(above.f_code.co_filename)


@contextmanager
def watching(seen: Way) -> Iterator[None]:
    """Watch every call."""
    sys.setprofile(seen.see)
    try:
        yield
    finally:
        sys.setprofile(None)


def main() -> None:
    """Print the way and the counts."""
    model = model_path()
    clips = load_clips("adapt", open_source(model).preprocessing)
    seen = Way(model)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "clips.npz"
        np.savez(data, x=clips.x, y=clips.y, class_names=np.array(clips.class_names))
        words = ["adapt", str(model), "--data", str(data), "--out", f"{folder}/run", "--steps", "1", "--json"]
        with watching(seen):
            command(words)
    for number, file in enumerate(seen.files, 1):
        print(f"{number:3} {file}")
    for (place, caller), count in seen.returns.items() if "--calls" in sys.argv else ():
        print(f"{count:3} {place} -> {caller}")
    print(f"{len(seen.files)} files entered, {sum(seen.returns.values())} returns upward")


if __name__ == "__main__":
    main()
