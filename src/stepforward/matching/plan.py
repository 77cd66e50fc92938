"""The plan by which a device matches statistics while it uses a program."""

from collections.abc import Mapping

import numpy as np

from stepforward.arithmetic.matching import Reference
from stepforward.arithmetic.streaming import STREAM, WINDOW, largest_window
from stepforward.errors import StepforwardError
from stepforward.matching.sites import Site, bias_of, sites
from stepforward.plan.matching import MatchingPlan, PlannedSite
from stepforward.program.model import Program


def for_matching(
    program: Program, references: Mapping[str, Reference], window: int | None = None
) -> MatchingPlan:
    """The plan of one program.

    Args:
        program: the base.
        references: of its sites, by name (`from_words`); a site without one stays as it is.
        window: samples after which the sums are halved; None: `WINDOW`, or the most that a large layer leaves room for.

    Raises:
        StepforwardError: there is no site with a reference, or the window is too long for one.
    """
    chosen = [site for site in sites(program) if site.name in references]
    if not chosen:
        raise StepforwardError(
            "no layer of this network can be matched", "it needs a layer with weights before the last one"
        )
    most = min(largest_window(site.positions) for site in chosen)
    if window is not None and not 1 <= window <= most:
        raise StepforwardError(f"window = {window}", f"give a number from 1 to {most}")
    planned = tuple(_planned(program, site, references[site.name]) for site in chosen)
    return MatchingPlan(planned, min(WINDOW, most) if window is None else window, STREAM)


def _planned(program: Program, site: Site, known: Reference) -> PlannedSite:
    """Channels whose bias and mean are too far apart for 32 bits are left alone."""
    fits = np.abs(bias_of(program, site) - known.mean) < 2**30
    mean, deviation = (np.where(fits, values, 0).tolist() for values in (known.mean, known.deviation))
    return PlannedSite(site.place, known.distances, tuple(mean), tuple(deviation))
