"""What was done before the first step, what came of it, and what it cost."""

from stepforward.report.units import show_count
from stepforward.run.result import RunResult
from stepforward.run.stage import Stage


def beginning(result: RunResult) -> list[tuple[str, str, str]]:
    """What was done, in its order: a name, a figure (sites that were corrected, or forward passes), and the outcome."""
    others = {
        "ranges": result.ranges,
        "head start": result.head_start,
        "bias start": result.bias_start,
        "mask": result.saliency,
        "search": result.search,
    }
    return [
        *_first_stage(result.first_stage),
        *((name, show_count(done.forward_passes), done.told) for name, done in others.items() if done),
    ]


def _first_stage(stage: Stage | None) -> list[tuple[str, str, str]]:
    if stage is None or not stage.sites:  # without statistics there is nothing to match
        return []
    corrected = sum(site.share > 0 for site in stage.sites) if stage.constants_bytes else 0
    return [("first stage", f"{corrected} of {len(stage.sites)} sites", stage.told)]
