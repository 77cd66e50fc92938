"""JSON from others: plain, shallow, unambiguous, or refused."""

import json
from typing import Any

MOST_LEVELS = 32


def parse_json(content: bytes | str) -> Any:
    """The value of a JSON text, such as every parser would give.

    >>> parse_json('{"classes": ["yes", "no"]}')
    {'classes': ['yes', 'no']}

    Raises:
        ValueError: not UTF-8 or not JSON; a key that is given twice; NaN, Infinity or a number beyond float64; half
            of a surrogate pair; lists or objects in each other more than `MOST_LEVELS` deep.
    """
    text = content.decode() if isinstance(content, bytes) else content
    try:
        value = json.loads(
            text, object_pairs_hook=_different_keys, parse_constant=_no_number, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_levels(value)
    json.dumps(
        value, ensure_ascii=False
    ).encode()  # UnicodeEncodeError, a ValueError: half of a surrogate pair
    return value


def _different_keys(pairs: list[tuple[str, Any]]) -> dict:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key is given twice")
    return content


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value


def _check_levels(value: Any) -> None:
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        level = [parent for parent in level if isinstance(parent, dict | list)]
        if not level:
            return
        level = [
            item for parent in level for item in (parent.values() if isinstance(parent, dict) else parent)
        ]
    raise ValueError("it is nested too deeply")
