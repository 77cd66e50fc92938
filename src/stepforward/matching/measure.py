"""Measure a site: sums over samples, and the reference that `quantize` stores."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.matching import ONE, Moments, Reference, Sums, distances
from stepforward.data.rows import evenly
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.matching.patches import patches_of, windows
from stepforward.matching.sites import Site, bias_of, opened, sites
from stepforward.matching.walk import Walk
from stepforward.program.model import Program

MOST_SAMPLES = 512
"""Samples that a reference is measured on, spread over those there are: more change nothing."""

_BLOCK = 1 << 22
_FINE = 5
"""Accumulators are measured in 2^-5 steps of the output or finer."""

_FEW = 8
"""A class with fewer samples says nothing of how far classes are apart."""

_EARLIEST, _LATEST = 0.25, 1.5
"""What the distances of one class are taken times at the first site and at the last; between them the square of the
depth decides. What a new world does shows first, what a class is last."""

_USUAL = (1 << 10, 1 << 9)
"""Distances of one class alone where no class has enough samples: about those of image classifiers."""


class Sampled(NamedTuple):
    """Sums over the positions of every sample, (samples, channels) each."""

    first: Int
    second: Int

    def total(self) -> Sums:
        """Over all samples."""
        return Sums(len(self.first), self.first.sum(axis=0), self.second.sum(axis=0))


def site_sums(
    program: Program, site: Site, mean: Int, shift: Int, x: NDArray[np.integer], threads: int | None = None
) -> Sampled:
    """Sums over every sample's accumulators, less `mean` and in units of 2^shift.

    Args:
        program: where the site stands, earlier sites matched.
        site: of the program.
        mean, shift: one for each channel.
        x: samples in the program's input format.
        threads: of the C core.
    """
    engine = CoreEngine(opened(program, site, mean, shift), threads=threads)
    block = max(1, _BLOCK // (site.positions * site.channels))
    narrow = np.int32 if site.positions < 2**16 else np.int64  # sums of numbers of 16 bits fit
    first, second = [], []
    for at in range(0, len(x), block):
        found = logits_of(engine, x[at : at + block]).reshape(-1, site.positions, site.channels)
        first.append(found.sum(axis=1, dtype=narrow).astype(np.int64))
        second.append(np.einsum("spc,spc->sc", found, found, dtype=np.int64))
    return Sampled(np.concatenate(first), np.concatenate(second))


def references(program: Program, x: NDArray[np.integer], threads: int | None = None) -> dict[str, Reference]:
    """What every site's accumulators are on clean data, by the name of its operator.

    Args:
        program: the network, as it is deployed.
        x: clean samples in its input format; at most `MOST_SAMPLES` of them are looked at.
        threads: of the C core.
    """
    x = x[evenly(len(x), MOST_SAMPLES)]
    seen = logits_of(CoreEngine(program, threads=threads), x).argmax(axis=1)
    found, mixable = sites(program), windows(program)
    known, walk = {}, Walk(program, found, x, threads)
    for site, depth in zip(found, np.linspace(0, 1, len(found)), strict=True):
        rest, place, there = walk.to(program, site)
        part = float(_EARLIEST + (_LATEST - _EARLIEST) * depth**2)
        own = _reference(rest, place, there, seen, part, threads)
        if site.name in mixable:
            own = own._replace(patches=patches_of(rest, place, there, mixable[site.name], threads))
        known[site.name] = own
    return known


def _reference(
    program: Program,
    site: Site,
    x: NDArray[np.integer],
    seen: NDArray[np.integer],
    part: float,
    threads: int | None,
) -> Reference:
    """Of one site; `seen` are the classes that the network itself sees, `part` of whose distances is usual."""
    mult, shift = program.ops[site.place].what.pairs()
    fine = np.maximum(shift - 15 - _FINE, 0) * np.ones(site.channels, dtype=np.int64)
    sampled = site_sums(program, site, np.zeros_like(fine), fine, x, threads)
    mean, variance = _moments(sampled, site.positions)
    root = np.array([int(v) for v in np.sqrt(variance)], dtype=np.int64)
    deviation, centre = root << fine, np.rint(mean).astype(np.int64) << fine
    moved = bias_of(program, site) - centre
    left = (np.abs(moved) > 2**31 - 1) | (np.abs(centre) > 2**31 - 1) | (deviation > 2**31 - 1) | (mult == 0)
    deviation[left], centre[left] = 0, 0
    apart = []
    for label in np.unique(seen):
        rows = seen == label
        if rows.sum() >= _FEW:
            own = _moments(Sampled(sampled.first[rows], sampled.second[rows]), site.positions)
            apart.append(_apart(own, mean, variance, deviation > 0))
    of_classes = np.mean(apart, axis=0) if len(apart) > 1 else _USUAL
    usual = tuple(max(1, int(part * v)) for v in of_classes)
    return Reference(centre, deviation, (usual[0], usual[1]))


def _moments(sampled: Sampled, positions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count = len(sampled.first) * positions
    mean = sampled.first.sum(axis=0) / count
    return mean, np.maximum(sampled.second.sum(axis=0) / count - mean**2, 0)


def _apart(
    own: tuple[NDArray[np.float64], NDArray[np.float64]],
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    varies: NDArray[np.bool_],
) -> tuple[int, int]:
    """`distances` of one class from all."""
    scale = ONE / np.sqrt(np.where(varies, variance, 1))
    away, spread = (own[0] - mean) * scale, own[1] * scale**2
    unit = np.where(varies, ONE, 0).astype(np.int64)
    return distances(Moments(np.rint(away).astype(np.int64), np.rint(spread).astype(np.int64)), unit)
