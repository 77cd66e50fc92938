"""Matching batch by batch on a host: every batch adds to the sums, site by site, before its outputs are computed."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.matching import (
    MOST,
    PRIOR,
    Constants,
    Reference,
    Rule,
    Sums,
    moments_to_constants,
)
from stepforward.arithmetic.streaming import BATCHES
from stepforward.matching.matched import fitting, matched
from stepforward.matching.measure import site_sums
from stepforward.matching.sites import Site, bias_of, sites
from stepforward.program.model import Program


class Online:
    """The sums of every site since the last reset, and the program that they lead to.

    Args:
        base: the program as it is without matching.
        references: of its sites, by name.
        threads: of the C core. Changes nothing.
        rule: how much is corrected.

    Attributes:
        program: the base with the present constants.
        constants: of every site, by name.
    """

    def __init__(
        self,
        base: Program,
        references: Mapping[str, Reference],
        threads: int | None = None,
        rule: Rule = BATCHES,
    ):
        self.base, self._threads, self._rule = base, threads, rule
        self._sites = [(site, references[site.name]) for site in sites(base) if site.name in references]
        self.reset()

    def reset(self) -> None:
        """Forget everything that was seen."""
        self.program = self.base
        self.constants: dict[str, Constants] = {}
        self._sums: dict[str, Sums] = {}

    def see(self, x: NDArray[np.integer]) -> None:
        """Add samples in the base's input format, (n, *shape of the input): every site sees what the ones before it
        give with constants made again from these very samples."""
        running = self.program
        for site, reference in self._sites:
            self._add(site, reference, running, x)
            running = self._refreshed(running, site, reference)
        self.program = running

    def _add(self, site: Site, reference: Reference, running: Program, x: NDArray[np.integer]) -> None:
        zero = np.zeros(site.channels, dtype=np.int64)
        known = self._sums.get(site.name, Sums(0, zero, zero))
        while (known.samples + len(x) + PRIOR) * site.positions > MOST and known.samples:
            known = Sums(known.samples // 2, known.first >> 1, known.second >> 1)
        # the accumulators of the base: with its own bias
        own = matched(
            running, {site.name: Constants(np.full(site.channels, 1 << 14), bias_of(self.base, site))}
        )
        new = site_sums(own, site, reference.mean, reference.shift, x, self._threads).total()
        self._sums[site.name] = Sums(
            known.samples + new.samples, known.first + new.first, known.second + new.second
        )

    def _refreshed(self, running: Program, site: Site, reference: Reference) -> Program:
        made = moments_to_constants(
            self._sums[site.name], reference, site.positions, bias_of(self.base, site), self._rule
        )
        self.constants[site.name] = fitting(self.base, site, made)
        return matched(self.base, self.constants)
