"""What a person reads of predicted classes."""

from rich.console import Group, RenderableType
from rich.text import Text

from stepforward.report.terminal import columns_table, notes_of
from stepforward.report.units import show_percent


def predictions(result: dict) -> RenderableType:
    """One line per sample: its likeliest classes with their probabilities."""
    table = columns_table(("sample", "left"), ("class", "left"), ("probability", "right"))
    for found in result["predictions"]:
        for rank, entry in enumerate(found["top"]):
            source = "" if rank else found["source"]
            table.add_row(Text(source), Text(str(entry["class"])), show_percent(entry["probability"]))
    return Group(table, *notes_of(result.get("notes") or (), result))
