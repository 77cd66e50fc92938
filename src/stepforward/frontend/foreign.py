"""Faults of a model from elsewhere that show only while it is worked on."""

from collections.abc import Iterator
from contextlib import contextmanager

from stepforward.errors import StepforwardError


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
