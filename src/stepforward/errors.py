"""The one error a user meets: what happened, where, and what to do next."""


class StepforwardError(Exception):
    """Raised for everything a user can put right: bad input, an unsupported operator, a damaged file.

    Args:
        what: what happened and where, naming the file, node, tensor or argument; one line, whatever it names.
        remedy: what to do about it.

    >>> print(StepforwardError("clip.wav holds no samples", "record it again or delete it"))
    clip.wav holds no samples; what to do: record it again or delete it
    """

    def __init__(self, what: str, remedy: str = ""):
        what = what.replace("\n", "\\n")  # out of a name, or of another library's message
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}; what to do: {self.remedy}" if self.remedy else self.what
