"""What a command hands to `main`: the result, and how a person sees it."""

import json
from collections.abc import Callable
from typing import NamedTuple

from rich.console import RenderableType

from stepforward.files import plain


class Outcome(NamedTuple):
    """A verb's result dictionary, the function that draws it, and the exit code."""

    result: dict
    draw: Callable[[dict], RenderableType]
    code: int = 0


class StoppedError(Exception):
    """Ctrl-C, with what a person needs to go on."""

    def __init__(self, what: str, remedy: str):
        super().__init__(what)
        self.what, self.remedy = what, remedy


def json_line(content: dict) -> str:
    """One line of JSON that any parser and any locale reads: ASCII, no NaN, no line breaks."""
    return json.dumps(plain(content), allow_nan=False)
