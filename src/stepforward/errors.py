"""The one error a user meets: what happened, where, and what to do next."""

from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 1500  # characters


class StepforwardError(Exception):
    """Raised for everything a user can put right: bad input, an unsupported operator, a damaged file.

    Args:
        what: what happened and where, naming the file, node, tensor or argument; one line, whatever it names.
        remedy: what to do about it.

    >>> print(StepforwardError("clip.wav holds no samples", "record it again or delete it"))
    clip.wav holds no samples; what to do: record it again or delete it
    """

    def __init__(self, what: str, remedy: str = ""):
        # line breaks and length come out of names, and of other libraries' messages
        what = what.replace("\n", "\\n")
        what = what if len(what) <= _MOST else f"{what[:_MOST]} ..."
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}; what to do: {self.remedy}" if self.remedy else self.what


@contextmanager
def fits_together(source: str) -> Iterator[None]:
    """Name the model where its graph contradicts itself in a way that no check has a message for.

    What can go wrong on purpose has a message of its own; this is for files that were never a network.

    Raises:
        StepforwardError: in place of the errors that Python raises for values that do not fit each other.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise StepforwardError(
            f"{source} does not fit together ({type(error).__name__}: {reason})",
            "check that it runs in ONNX Runtime on one sample; if it does, please report it with what --debug prints",
        ) from error
