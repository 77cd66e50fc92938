"""The definition of a stream's matching on any program: every sample counts, and a refresh makes the constants."""

import struct

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.matching import ONE, Constants, moments_to_constants
from stepforward.arithmetic.streaming import Seen, nothing, see, sums
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.matching.matched import fitting, matched
from stepforward.matching.sites import Site, bias_of, opened, sites
from stepforward.plan.matching import MatchingPlan
from stepforward.program.model import Program


class Stream:
    """What a device does (contract, section 12), by the definitions of operators and of matching.

    Args:
        base: the program as it is without matching.
        plan: of it.

    Attributes:
        program: the base with the present constants.
    """

    def __init__(self, base: Program, plan: MatchingPlan):
        self.base, self.plan = base, plan
        by_place = {site.place: site for site in sites(base)}
        self._sites = [(by_place[entry.op], entry.reference) for entry in plan.sites]
        self.reset()

    def reset(self) -> None:
        """Forget everything that was seen."""
        self.program = self.base
        self._constants: dict[str, Constants] = {}
        self._seen: dict[str, Seen] = {site.name: nothing(site.channels) for site, _ in self._sites}

    def outputs(self, x: NDArray[np.integer], counted: bool = False) -> NDArray[np.int64]:
        """Logits, (n, classes), with the present constants; counted: every sample adds to the sums."""
        for sample in x if counted else ():
            for site, reference in self._sites:
                own = matched(self.program, {site.name: _own(self.base, site)})
                shown = ReferenceEngine(opened(own, site, reference.mean, reference.shift))
                d = shown.outputs(Batch.of(sample[None]))[0].reshape(site.positions, site.channels)
                first, second = d.sum(axis=0), (d.astype(np.int64) ** 2).sum(axis=0)
                known = self._seen[site.name]
                self._seen[site.name] = see(known, first, second, site.positions, self.plan.window)
        return logits_of(ReferenceEngine(self.program), x)

    def refresh(self) -> None:
        """The constants that the sums lead to become the present ones."""
        for site, reference in self._sites:
            bias, seen = bias_of(self.base, site), self._seen[site.name]
            found = sums(seen, site.positions, self.plan.window)
            made = moments_to_constants(found, reference, site.positions, bias, self.plan.rule)
            self._constants[site.name] = fitting(self.base, site, made)
        self.program = matched(self.base, self._constants)

    @property
    def constants(self) -> dict[str, Constants]:
        """Of the sites that have others than the base's, by name."""
        return {
            site.name: self._constants[site.name]
            for site, _ in self._sites
            if site.name in self._constants
            and not (
                (self._constants[site.name].ratio == ONE).all()
                and (self._constants[site.name].bias == bias_of(self.base, site)).all()
            )
        }

    @property
    def state(self) -> bytes:
        """As a device holds it."""
        samples = max((seen.samples for seen in self._seen.values()), default=0)
        content = struct.pack("<I", samples)
        for site, _ in self._sites:
            seen, own = self._seen[site.name], _own(self.base, site)
            made = self._constants.get(site.name, own)
            moved = (made.bias - own.bias).astype("<i8").astype("<u4")
            part = [
                seen.first.astype("<i4"),
                seen.second.astype("<u4"),
                moved,
                (made.ratio - ONE).astype("<u2"),
            ]
            packed = b"".join(values.tobytes() for values in part)
            content += packed + bytes(-len(packed) % 4)
        return content


def _own(base: Program, site: Site) -> Constants:
    """The base's."""
    return Constants(np.full(site.channels, ONE, dtype=np.int64), bias_of(base, site))
