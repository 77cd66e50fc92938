"""Early convolutions whose inputs vary together otherwise than on clean data: measured, and their weights mixed."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic import patches
from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.matching import ONE, Constants, Patches, Reference
from stepforward.data.rows import evenly
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.matching.sites import Site, bias_of, sites, weight_of
from stepforward.operators.conv import Conv
from stepforward.program.cut import up_to
from stepforward.program.model import Program

MOST_ELEMENTS = 320
"""Of a patch: roots of its covariances take their number to the third."""

MOST_LAGS = 1 << 14
"""Covariances that a model stores for a site, two bytes each."""

MOST_SAMPLES = 256
"""Samples that covariances are measured on, spread over those there are."""

_LARGEST = {"s4": 7, "s8": 127}

_BLOCK = 64


def windows(program: Program) -> dict[str, patches.Window]:
    """The convolutions that are mixed, by name: those of the first third of the sites, of weights of at most 8 bits, in
    one group. What a new world does shows there, and a class hardly does."""
    known = sites(program)
    found = {}
    for site in known[: -(-len(known) // 3)]:
        op = program.ops[site.place]
        weight = program.tensors[op.weight]
        what = op.what
        if not isinstance(what, Conv) or what.groups > 1 or weight.dtype not in _LARGEST:
            continue
        window = patches.Window(what.kernel, what.dilation)
        elements, stored = weight.elements // site.channels, prod(lags_shape(program, site, window))
        if elements <= MOST_ELEMENTS and stored <= MOST_LAGS:
            found[site.name] = window
    return found


def lags_shape(program: Program, site: Site, window: patches.Window) -> tuple[int, int, int, int]:
    """Of the covariances that a reference holds."""
    (kh, kw), shape = window.kernel, program.tensors[program.ops[site.place].inputs[0]].shape
    return kh, 2 * kw - 1, shape[-1], shape[-1]


def patches_of(
    program: Program, site: Site, x: NDArray[np.integer], window: patches.Window, threads: int | None
) -> Patches:
    """How the inputs of a site vary on clean samples."""
    x = _some(x)
    mean = np.rint(
        np.mean([part.mean(axis=(0, 1, 2)) for part in _inputs(program, site, x, threads)], axis=0)
    )
    return patches.reference(
        _lags(program, site, x, mean.astype(np.int64), window, threads), mean.astype(np.int64)
    )


def mix(
    program: Program,
    site: Site,
    x: NDArray[np.integer],
    window: patches.Window,
    reference: Reference,
    part: int,
    threads: int | None,
) -> Constants | None:
    """The constants and weights with which a site sees samples as the base's see clean ones; None: it is left alone.

    Args:
        program: where the site stands, the ones before it matched.
        site: of the program.
        x: samples in the program's input format.
        window: of the site, as `windows` says.
        reference: of the site.
        part: of 256 that the site's channels are corrected by; patches are corrected from half on.
        threads: of the C core. Changes nothing.
    """
    known, part = reference.patches, max(2 * part - 256, 0)
    if known is None or not part:
        return None
    sums = _lags(program, site, _some(x), known.mean, window, threads)
    mean, lag = patches.found(sums, known, window, part)
    largest = _LARGEST[program.tensors[program.ops[site.place].weight].dtype]
    own = weight_of(program, site), bias_of(program, site)
    made = patches.mixed(*own, known, mean, lag, window, largest)
    if made is None:
        return None
    alone = reference.deviation == 0
    return Constants(
        np.where(alone, ONE, made.ratio),
        np.where(alone, own[1], made.bias),
        np.where(alone[:, None], own[0], made.weights),
    )


def _some(x: NDArray[np.integer]) -> NDArray[np.integer]:
    return x[evenly(len(x), MOST_SAMPLES)]


def _lags(
    program: Program,
    site: Site,
    x: NDArray[np.integer],
    mean: Int,
    window: patches.Window,
    threads: int | None,
) -> patches.Lags:
    first, *rest = (patches.lags(part, mean, window) for part in _inputs(program, site, x, threads))
    for sums in rest:
        first = patches.joined(first, sums)
    return first


def _inputs(program: Program, site: Site, x: NDArray[np.integer], threads: int | None) -> list[Int]:
    """What a site reads, less its zero point, in blocks of samples."""
    index = program.ops[site.place].inputs[0]
    tensor = program.tensors[index]
    made = [place for place, op in enumerate(program.ops) if op.output == index]
    engine = CoreEngine(up_to(program, made[0]), threads=threads) if made else None
    return [
        (part if engine is None else logits_of(engine, part)).astype(np.int64).reshape(-1, *tensor.shape)
        - tensor.zero_point
        for part in (x[at : at + _BLOCK] for at in range(0, len(x), _BLOCK))
    ]
