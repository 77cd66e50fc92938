"""Samples on their way through a program, from site to site: what lies before a site is not computed again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepforward.engines.before import Onward
from stepforward.matching.sites import Site
from stepforward.program.cut import last_joint
from stepforward.program.model import Program

MOST_BYTES = 1 << 27
"""Of the activations of all samples that are kept between two sites."""


class Walk:
    """Samples where they last were one activation.

    Args:
        program: any of those that `to` will be given: they differ in constants and weights alone.
        found: its sites that will be asked for, in order.
        x: samples in the program's input format.
        threads: of the C core. Changes nothing.
    """

    def __init__(
        self, program: Program, found: Sequence[Site], x: NDArray[np.integer], threads: int | None = None
    ):
        self.threads = threads
        self._onward = Onward(x, threads)
        self._starts = {
            site.name: start for site, start in zip(found, starts(program, found, len(x)), strict=True)
        }

    def to(self, program: Program, site: Site) -> tuple[Program, Site, NDArray[np.integer]]:
        """The rest of a program from where samples go on to a site, the site in it, and the samples there.

        Args:
            program: every operator before the site as it will stay.
            site: of the program; not one before the last that was asked for.
        """
        start = self._starts[site.name]
        rest, x = self._onward.to(program, start)
        return rest, site._replace(place=site.place - start), x


def starts(program: Program, found: Sequence[Site], samples: int) -> list[int]:
    """The number of the operator from which samples go on to each site: after the last place before it where one
    activation joins what lies before with what follows, and takes no more than `MOST_BYTES`."""
    most = MOST_BYTES // max(samples, 1)
    return [last_joint(program, site.place, most) for site in found]
