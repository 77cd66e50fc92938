"""The one error a user meets: what happened, where, and what to do next."""

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
