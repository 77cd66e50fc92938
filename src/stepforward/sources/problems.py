"""Why an operator of a file cannot be read."""


class UnreadableError(Exception):
    """Of one operator; all of a file are said together."""
