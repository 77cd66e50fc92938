"""Matching the data's class names to the model's."""

import difflib
import unicodedata
from collections.abc import Sequence

from stepforward.errors import StepforwardError


def same_spelling(name: str) -> str:
    """The name with composed letters (Unicode NFC): a Mac decomposes those of folders, and both look the same.

    >>> same_spelling("cafe\u0301") == "caf\u00e9"
    True
    """
    return unicodedata.normalize("NFC", name)


def unknown_class(label: str, where: str, names: Sequence[str]) -> StepforwardError:
    """The error for a label the model does not have.

    Args:
        where: the folder, row or array the label was found in.
        names: the model's classes.
    """
    folded = {same_spelling(name).casefold(): name for name in names}
    close = [
        folded[match] for match in difflib.get_close_matches(same_spelling(label).casefold(), folded, n=1)
    ]
    hint = f"; did you mean {close[0]!r}?" if close else ""
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    numbered = all(name == str(number) for number, name in enumerate(names))
    names_of = " (it names none: its metadata property stepforward.class_names can)" if numbered else ""
    return StepforwardError(
        f"{where}: the model has no class {label!r}{hint}",
        f"rename or remove it; the model's classes are: {shown}{names_of}",
    )
