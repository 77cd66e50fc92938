"""What a person sees of a benchmark."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

FIGURES = {
    "forward_vs_torch_f32": "forward vs torch f32",
    "forward_vs_ort_f32": "vs ORT f32",
    "forward_vs_ort_int8": "vs ORT int8",
    "step_vs_two_forwards": "step / 2 forwards",
    "step_vs_backprop": "step vs backprop",
    "step_vs_mezo": "vs MeZO",
}
NOTE = (
    "times the speed of the peer, larger is better; 'step / 2 forwards' is a cost, smaller is better; "
    "a step is the default of adapt: four directions that share the batch"
)


def quick_table(result: dict) -> RenderableType:
    """The figures of `bench.quick`."""
    drawn = _columns("network")
    for name, figures in result.items():
        drawn.add_row(name, *_shown(figures))
    return Group(drawn, Text(NOTE, "dim"))


def table(result: dict) -> RenderableType:
    """The figures of `bench.full`, one row per network, batch size and number of threads."""
    drawn = _columns("network", "batch", "threads", "images/s")
    for cell in result["cells"]:
        speed = f"{cell['images_per_second']:,.0f}"
        drawn.add_row(
            cell["network"], str(cell["batch"]), str(cell["threads"]), speed, *_shown(cell["ratios"])
        )
    written = [Text(f"written: {result['out']}", no_wrap=True)] if result.get("out") else []
    return Group(drawn, Text(NOTE, "dim"), *written)


def _columns(*first: str) -> Table:
    drawn = Table(box=box.SIMPLE)
    for position, heading in enumerate((*first, *FIGURES.values())):
        drawn.add_column(heading, justify="right" if position else "left")
    return drawn


def _shown(figures: dict) -> list[str]:
    return [f"{figures[key]:.2f}" if key in figures else "" for key in FIGURES]
