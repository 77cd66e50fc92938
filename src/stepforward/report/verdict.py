"""What a change of accuracy is worth: a gain or a loss only where its 95 % interval leaves zero out.

Nor is it a gain on the samples that chose the weights: of many candidates the one they like best is ahead by chance.
"""

from typing import NamedTuple

from stepforward.report.units import show_count, show_points, show_points_range
from stepforward.run.result import RunResult


class Verdict(NamedTuple):
    """A difference as text, +1 for a gain, -1 for a loss, 0 within the noise or not known, and how sure it is."""

    points: str
    sign: int
    meaning: str


def verdict(result: RunResult) -> Verdict:
    """The verdict on a result of `adapt`."""
    points = show_points(result.zero_shot_accuracy, result.adapted_accuracy)
    ends = result.difference_interval
    reach = f"95 %: {show_points_range(ends)}"
    if ends.sign > 0 and result.measured_on == "validation":
        return Verdict(points, 0, f"{reach}, but these samples chose the weights")
    if ends.sign == 0:
        return Verdict(
            points, 0, f"within the noise of {show_count(result.measured_samples)} samples; {reach}"
        )
    return Verdict(
        points,
        ends.sign,
        f"{reach}; {show_count(result.gained)} turned right, {show_count(result.lost)} wrong",
    )
