"""The matched program: sites with other constants, early convolutions with other weights, and nothing else changed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.arithmetic.fixedpoint import Int
from stepforward.arithmetic.matching import (
    ONE,
    WHOLE,
    Constants,
    Moments,
    Reference,
    after,
    constants,
    distances,
    in_steps_of,
    moments,
    partly,
    rescaled,
    roots,
    share,
    times,
)
from stepforward.matching.measure import site_sums
from stepforward.matching.patches import mix, windows
from stepforward.matching.sites import Site, bias_of, sites, weight_of
from stepforward.matching.walk import Walk
from stepforward.program.model import Program, Tensor
from stepforward.program.weights import pack_all
from stepforward.quantization.parameters import bias_scale


class Found(NamedTuple):
    """What samples lead to at one site.

    Attributes:
        site, reference: where, and what it is brought back to.
        start: what its channels had before they were brought back: the base's own constants, or those of mixed weights.
        constants: of its channels.
        moments: that the constants bring back; those of the reference where nothing is corrected.
        share: how much of what was found is corrected, 0 to 256.
        distances: how far the samples were from the reference (`arithmetic.matching.distances`).
    """

    site: Site
    reference: Reference
    start: Constants
    constants: Constants
    moments: Moments
    share: int
    distances: tuple[int, int]


def match(
    program: Program,
    references: Mapping[str, Reference],
    x: NDArray[np.integer],
    threads: int | None = None,
    strength: int = WHOLE,
) -> list[Found]:
    """The constants that samples lead to, layer by layer: every site sees what the matched ones before it give.

    Args:
        program: the base.
        references: of its sites, by name; a site without one stays as it is.
        x: samples in the program's input format, as many as there are; no labels.
        threads: of the C core. Changes nothing.
        strength: how much of every share is corrected, 0 to `WHOLE`.
    """
    found: list[Found] = []
    so_far, mixable = program, windows(program)
    known = [site for site in sites(program) if site.name in references]
    walk = Walk(program, known, x, threads)
    for site in known:
        reference = references[site.name]
        seen = _seen(walk, so_far, site, reference)
        apart = distances(seen, reference.unit)
        part = share(apart, reference.distances) * strength >> 8
        start, own = Constants.of(bias_of(program, site)), reference
        window = mixable.get(site.name)
        mixing = window and mix(*walk.to(so_far, site), window, reference, part, threads)
        if mixing is not None:
            start = fitting(program, site, mixing)
            own = in_steps_of(reference, start.ratio)
            seen = _seen(walk, matched(so_far, {site.name: start}), site, own)
        taken = partly(seen, own.unit, part)
        made = fitting(program, site, after(start, constants(taken, own, start.bias)))
        found.append(Found(site, reference, start, made, taken, part, apart))
        so_far = matched(so_far, {site.name: made})
    return found


def remaining(
    program: Program, found: Sequence[Found], x: NDArray[np.integer], threads: int | None = None
) -> tuple[int, int]:
    """How far other samples are from the references, without and with what was found: a gate compares the two.

    Both are sums over the sites of the larger distance, in 2^-8 of what is usual.
    """
    begin = end = 0
    so_far = program
    known = [one.site for one in found]
    without, with_matching = Walk(program, known, x, threads), Walk(program, known, x, threads)
    for one in found:
        site, reference, own = one.site, one.reference, in_steps_of(one.reference, one.start.ratio)
        seen = _seen(without, program, site, reference, prior=0)
        begin += times(distances(seen, reference.unit), reference.distances)
        seen = _seen(with_matching, matched(so_far, {site.name: one.start}), site, own, prior=0)
        end += times(_seen_from(seen, one.moments, own), reference.distances)
        so_far = matched(so_far, {site.name: one.constants})
    return begin, end


def _seen(walk: Walk, program: Program, site: Site, reference: Reference, **prior: int) -> Moments:
    """Moments of a site of a program, in the steps of a reference."""
    rest, place, x = walk.to(program, site)
    sums = site_sums(rest, place, reference.mean, reference.shift, x, walk.threads).total()
    return moments(sums, reference, site.positions, **prior)


def _seen_from(seen: Moments, taken: Moments, reference: Reference) -> tuple[int, int]:
    """Distances of what is seen from what the constants bring to the reference."""
    unit = np.where(reference.unit > 0, np.maximum(roots(taken.variance), 1), 0)
    return distances(Moments(seen.mean - taken.mean, seen.variance), unit)


def fitting(program: Program, site: Site, made: Constants) -> Constants:
    """The same, with channels whose multiplier no pair holds left alone."""
    pairs = _pairs(program, site)
    alone = np.array([rescaled(*p, int(r)) is None for p, r in zip(pairs, made.ratio, strict=True)])
    ratio, bias = np.where(alone, ONE, made.ratio), np.where(alone, bias_of(program, site), made.bias)
    weights = made.weights
    if weights is not None:
        weights = np.where(alone[:, None], weight_of(program, site), weights)
    return Constants(ratio, bias, weights)


def matched(program: Program, found: Mapping[str, Constants]) -> Program:
    """The program with other constants at some sites, by name; the scales of their weights say the same.

    Raises:
        ValueError: there is no such site, or it has another number of channels.
    """
    by_name = {site.name: site for site in sites(program)}
    ops, tensors, values = list(program.ops), list(program.tensors), {}
    for name, (ratios, bias, weights) in found.items():
        site = by_name.get(name)
        if site is None or len(ratios) != site.channels or len(bias) != site.channels:
            raise ValueError(f"the program has no site {name!r} of {len(ratios)} channels")
        op = ops[site.place]
        pairs = [rescaled(*p, int(r)) for p, r in zip(_pairs(program, site), ratios, strict=True)]
        if None in pairs:
            raise ValueError(f"a multiplier of {name!r} does not fit")
        ops[site.place] = replace(op, what=replace(op.what, rescale=tuple(p for p in pairs if p is not None)))
        values[op.bias] = bias
        if weights is not None:
            if np.size(weights) != program.tensors[op.weight].elements:
                raise ValueError(f"{name!r} has another number of weights")
            values[op.weight] = weights
        scales = _scales(program, site, ratios, pairs)
        tensors[op.weight] = _channelwise(program.tensors[op.weight], op.kind, scales)
        tensors[op.bias] = replace(
            program.tensors[op.bias],
            scale=tuple(bias_scale(program.tensors[op.inputs[0]].scale[0], np.array(scales)).tolist()),
            channel_rule="divide",
            channel_divisor=1,
        )
    return replace(program, ops=tuple(ops), tensors=tuple(tensors), weights=pack_all(program, values))


def _pairs(program: Program, site: Site) -> list[tuple[int, int]]:
    pairs = program.ops[site.place].what.rescale
    return list(pairs) if len(pairs) > 1 else [pairs[0]] * site.channels


def _scales(program: Program, site: Site, ratios: Int, pairs: list[Any]) -> tuple[float, ...]:
    """The weight's scales from which lowering makes these pairs again: exact float32 values."""
    op = program.ops[site.place]
    own = program.tensors[op.weight].scale
    own = own if len(own) > 1 else own * site.channels
    step = program.tensors[op.output].scale[0] / program.tensors[op.inputs[0]].scale[0]
    return tuple(
        scale if ratio == ONE else float(np.float32(pair[0] * 2.0 ** -pair[1] * step))
        for scale, ratio, pair in zip(own, ratios, pairs, strict=True)
    )


def _channelwise(weight: Tensor, kind: str, scales: tuple[float, ...]) -> Tensor:
    rule = "modulo" if kind == "depthwise" else "divide"
    divisor = len(scales) if rule == "modulo" else weight.elements // len(scales)
    return replace(weight, scale=scales, channel_rule=rule, channel_divisor=divisor)
