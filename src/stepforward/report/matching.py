"""What a person reads at the end of a matching: a table, and the same as a page."""

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.text import Text

from stepforward.files import write_atomically
from stepforward.report.terminal import Row, columns_table, notes_of, three_columns
from stepforward.report.units import (
    show_bytes,
    show_count,
    show_percent,
    show_points,
    show_points_range,
    show_range,
    show_seconds,
)
from stepforward.report.visible import visible
from stepforward.run.attempt import SiteChange
from stepforward.run.match import MatchResult

_WIDTH = 110


def matching(result: MatchResult) -> RenderableType:
    """The outcome of `adapt --method match`: accuracy where labels are known, sites, what was kept."""
    corrected = [site for site in result.sites if site.share and result.kept == "matched"]
    matched_on = f"matched on {show_count(result.samples['train'])} samples"
    rows: list[Row] = [
        *_accuracy(result),
        ("kept", result.kept, f"{matched_on}, chosen by {show_count(result.samples['validation'])} others"),
        *_choice(result),
        (
            "distance",
            f"{result.distance_before:.1f} to {result.distance_after:.1f}",
            "of held-out samples from the reference, summed over the sites; 1: what is usual",
        ),
        ("sites", f"{len(corrected)} of {len(result.sites)}", "corrected"),
        (
            "constants",
            show_bytes(result.constants_bytes),
            "two for each channel; the weights stay as they are" + _mixed(corrected),
        ),
        ("time", show_seconds(result.seconds), f"{show_count(result.forward_passes)} forward passes"),
    ]
    table = columns_table(
        ("site", "left"),
        ("channels", "right"),
        ("means", "right"),
        ("deviations", "right"),
        ("corrected", "right"),
    )
    for site in result.sites:
        table.add_row(
            Text(site.name),
            show_count(site.channels),
            f"{site.mean_distance:.1f}",
            f"{site.deviation_distance:.1f}",
            show_percent(site.share),
        )
    where = [Text(f"report: {Path(result.out) / 'report.html'}", no_wrap=True)] if result.out else []
    return Group(three_columns(rows), table, *notes_of(result.notes, result), *where)


def _mixed(corrected: Sequence[SiteChange]) -> str:
    """What is said of sites with other weights."""
    count = sum(site.mixed for site in corrected)
    return (
        f", but for {count} early {'site' if count == 1 else 'sites'} with weights of their own"
        if count
        else ""
    )


def _choice(result: MatchResult) -> list[Row]:
    if result.information_before is None or result.information_after is None:
        return [
            ("strength", show_percent(result.strength), "of what was found, with the least held-out loss")
        ]
    return [
        ("strength", show_percent(result.strength), "of what was found; the strongest that says enough"),
        (
            "information",
            f"{result.information_before:.2f} to {result.information_after:.2f} bits",
            "that a prediction says of its sample; it falls where predictions get less sure or collapse",
        ),
        *_steps(result),
    ]


def _steps(result: MatchResult) -> list[Row]:
    before, after = result.steps_information_before, result.steps_information_after
    if before is None or after is None:
        return []
    if not result.kept_step:
        return [
            (
                "steps",
                "0",
                f"none of {show_count(result.steps)} made predictions of held-out samples say more",
            )
        ]
    return [
        (
            "steps",
            show_count(result.kept_step),
            f"of {show_count(result.steps)}; what predictions say of a held-out sample: "
            f"{before:.2f} to {after:.2f} bits",
        )
    ]


def _accuracy(result: MatchResult) -> list[Row]:
    if result.measured_on is None:
        return [("accuracy", "not known", "the samples have no labels; --test DATA measures on others")]
    change = result.difference_interval
    count = result.samples["test" if result.measured_on == "test" else "validation"]
    return [
        (
            "zero-shot",
            show_percent(result.zero_shot_accuracy),
            f"on {show_count(count)} {result.measured_on} samples; 95 %: {show_range(result.zero_shot_interval)}",
        ),
        ("adapted", show_percent(result.adapted_accuracy), f"95 %: {show_range(result.adapted_interval)}"),
        (
            "difference",
            show_points(result.zero_shot_accuracy, result.adapted_accuracy),
            f"95 %: {show_points_range(change)}" if change else "",
        ),
    ]


def write_page(result: MatchResult, path: str | Path) -> None:
    """The table as a page of its own: no scripts, nothing fetched.

    Raises:
        StepforwardError: the file cannot be written.
    """
    console = Console(file=io.StringIO(), width=_WIDTH, record=True, force_jupyter=False)
    console.print(matching(visible(result)))
    page = console.export_html(inline_styles=True)
    write_atomically(path, page.encode("utf-8", "backslashreplace"))
