"""Samples far outside the range of all others: a sensor glitch, a sound in other units, a broken row."""

from collections.abc import Sequence

import numpy as np

from stepforward.data.rows import rows_of

_TYPICAL = 0.99
"""Share of the samples that say what is usual."""

_FAR = 32
"""Times the usual magnitude: an 8-bit scale that reaches so far has four steps left for everything else."""


def far_out(x: np.ndarray, axis: int = 1) -> dict[int, tuple[float, float]]:
    """Samples in which some channel (along `axis`) is more than 32 times as large as in 99 % of the samples.

    Returns:
        sample number -> (magnitude reached, the usual magnitude of that channel), the farthest first; at most about
        one sample in a hundred, or one of fewer.
    """
    others = tuple(other for other in range(1, x.ndim) if other != axis)
    magnitude = np.concatenate([np.abs(block).max(axis=others) for block in rows_of(x).blocks()])
    usual = np.quantile(magnitude, _TYPICAL, axis=0, method="lower")
    ratio = np.divide(magnitude, usual, out=np.zeros(magnitude.shape), where=usual > 0)
    channel = ratio.argmax(axis=1)
    worst = ratio[np.arange(len(x)), channel]
    far = [int(sample) for sample in np.argsort(-worst, kind="stable") if worst[sample] > _FAR]
    return {s: (float(magnitude[s, channel[s]]), float(usual[channel[s]])) for s in far}


def left_out(found: dict[int, tuple[float, float]], sources: Sequence[str] | None) -> str:
    """The note that goes with samples that were left out."""
    sample, (reached, usual) = next(iter(found.items()))
    name = sources[sample] if sources else f"sample {sample} of the data"
    others = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return (
        f"{name} reaches {reached:,.4g} where 99 % of the samples stay below {usual:,.3g}: ranges were "
        f"chosen without it{others}; remove it if it is a glitch"
    )
