"""Time of a run without the time in which the bench looks at the test samples."""

import time
from typing import NamedTuple


class Times(NamedTuple):
    """Seconds on the wall and of the processor."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> "Times":
        """Readings of both clocks."""
        return cls(time.perf_counter(), time.process_time())

    def less(self, other: "Times") -> "Times":
        """The difference."""
        return Times(self.wall - other.wall, self.cpu - other.cpu)


class Watch:
    """Runs from its making; stands still inside `with watch.paused():`."""

    def __init__(self) -> None:
        self._started, self._out = Times.now(), Times(0.0, 0.0)

    def paused(self) -> "Watch":
        """For a `with` block that does not count."""
        return self

    def __enter__(self) -> None:
        self._since = Times.now()

    def __exit__(self, *error: object) -> None:
        gone = Times.now().less(self._since)
        self._out = Times(self._out.wall + gone.wall, self._out.cpu + gone.cpu)

    def read(self) -> Times:
        """What has counted so far."""
        return Times.now().less(self._started).less(self._out)
