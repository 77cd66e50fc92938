"""What a command hands to `main`: the result, and how a person sees it."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from rich.console import RenderableType


class Outcome(NamedTuple):
    """A verb's result dictionary, and the function that draws it."""

    result: dict
    draw: Callable[[dict], RenderableType]


class StoppedError(Exception):
    """Ctrl-C, with what a person needs to go on."""

    def __init__(self, what: str, remedy: str):
        super().__init__(what)
        self.what, self.remedy = what, remedy


def json_line(content: dict) -> str:
    """One line of JSON that any parser and any locale reads: ASCII, no NaN, no line breaks."""
    return json.dumps(_plain(content), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy
        return _plain(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
