"""Name patterns: the parameters that they match."""

from fnmatch import fnmatchcase

from stepforward.errors import StepforwardError
from stepforward.program.model import Program


def named(program: Program, words: str, remedy: str) -> set[int]:
    """Parameters whose names match shell-style patterns, separated by commas.

    Raises:
        StepforwardError: a pattern matches nothing; `remedy` and the names there are.
    """
    chosen: set[int] = set()
    for pattern in (part.strip() for part in words.split(",")):
        matched = {i for i, tensor in enumerate(program.parameters) if fnmatchcase(tensor.name, pattern)}
        if not matched:
            names = ", ".join(tensor.name for tensor in program.parameters)
            raise StepforwardError(
                f"--train {pattern!r} matches no parameter", f"{remedy}; parameters: {names}"
            )
        chosen |= matched
    return chosen
