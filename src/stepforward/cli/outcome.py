"""What a command hands to `main`: the result, and how a person sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from stepforward.files import plain

if TYPE_CHECKING:
    from rich.console import RenderableType


class Outcome(NamedTuple):
    """A verb's result, the function that draws it, and the exit code."""

    result: Mapping[str, Any]
    draw: Callable[[Any], RenderableType]
    code: int = 0


class StoppedError(Exception):
    """Ctrl-C, with what a person needs to resume."""

    def __init__(self, what: str, remedy: str):
        super().__init__(what)
        self.what, self.remedy = what, remedy


def json_line(content: Mapping[str, Any]) -> str:
    """One line of JSON that any parser and any locale reads: ASCII, no NaN, no line breaks."""
    return json.dumps(plain(content), allow_nan=False)
