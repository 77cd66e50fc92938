"""What a change of accuracy is worth: a gain or a loss only where its 95 % interval leaves zero out.

Nor is it a gain on the samples that chose the weights: of many candidates the one they like best is ahead by chance.
"""

from typing import NamedTuple

from stepforward.intervals import Interval
from stepforward.report.units import show_count, show_points, show_points_range


class Verdict(NamedTuple):
    """A difference as text, +1 for a gain, -1 for a loss, 0 within the noise or not known, and how sure it is."""

    points: str
    sign: int
    meaning: str


def verdict(result: dict) -> Verdict:
    """The verdict on a result of `adapt`.

    Args:
        result: what `adapt` returns; without its interval nothing is called a gain or a loss.
    """
    points = show_points(result.get("zero_shot_accuracy"), result.get("adapted_accuracy"))
    ends = result.get("difference_interval")
    if not ends:
        return Verdict(points, 0, "")
    count = (result.get("samples") or {}).get(result.get("measured_on"))
    sign, reach = Interval(*ends).sign, f"95 %: {show_points_range(ends)}"
    if sign > 0 and result.get("measured_on") == "validation":
        return Verdict(points, 0, f"{reach}, but these samples chose the weights")
    if sign == 0:
        return Verdict(points, 0, f"within the noise of {show_count(count)} samples; {reach}")
    return Verdict(
        points,
        sign,
        f"{reach}; {show_count(result.get('gained'))} turned right, {show_count(result.get('lost'))} wrong",
    )
