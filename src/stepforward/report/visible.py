"""Text of others, such as class names and paths, made safe to show: nothing in it steers a terminal or hides itself."""

import unicodedata
from dataclasses import fields, is_dataclass, replace
from pathlib import PurePath
from typing import Any

_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control characters, invisible ones (those that turn the direction of writing among them), halves of surrogate pairs,
separators of lines."""

_JOINERS = "\u200c\u200d"
"""Part of how Persian, Indic words and emoji are written."""


def visible(value: Any) -> Any:
    r"""The value with every steering character of its text written out, all the way down.

    >>> print(visible({"class_names": ["\x1b[31mred", "b\u202eac"]}))
    {'class_names': ['\\x1b[31mred', 'b\\u202eac']}
    """
    if isinstance(value, str):
        return value if value.isprintable() else "".join(map(_shown, value))
    if isinstance(value, dict):
        return {visible(key): visible(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(visible, value))
    if isinstance(value, list | tuple):
        return [visible(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        shown = [entry for entry in fields(value) if not entry.metadata.get("hidden")]
        return replace(value, **{entry.name: visible(getattr(value, entry.name)) for entry in shown})
    return visible(str(value)) if isinstance(value, PurePath) else value


def visible_lines(text: str) -> str:
    """The same for a message of several lines; all but the first are indented, so that none passes for another message.

    >>> print(visible_lines("one" + chr(10) + "stepforward: two"))
    one
      stepforward: two
    """
    return "\n  ".join(visible(line) for line in text.split("\n"))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _STEERING or character in _JOINERS:
        return character
    return ascii(character)[1:-1]
