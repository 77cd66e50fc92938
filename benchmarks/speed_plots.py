"""Plots of a benchmark's result (`bench.full`), as SVG."""

import io
from collections.abc import Callable

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_SETTINGS = {
    "svg.hashsalt": "stepforward",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_PEERS = {
    "core_forward": ("16w8a forward", "#2563eb", "-"),
    "core_8bit_forward": ("8w8a forward", "#60a5fa", "-"),
    "torch_f32_forward": ("torch f32 forward", "#c2410c", "-"),
    "ort_f32_forward": ("ORT f32 forward", "#6b7280", "-"),
    "ort_int8_forward": ("ORT int8 forward", "#6b7280", ":"),
    "core_step": ("QZO-FF step", "#2563eb", "--"),
    "backprop_step": ("torch backpropagation step", "#c2410c", "--"),
    "mezo_step": ("MeZO step", "#7c3aed", "--"),
}


def _figure(result: dict, count: int, draw: Callable[[Axes, str], None]) -> bytes:
    """One panel per network, with what `draw` puts into it."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(3.6 * count, 3.9), layout="constrained")
        panels = figure.subplots(1, count, squeeze=False)[0]
        for axes, name in zip(panels, result["networks"], strict=True):
            draw(axes, name)
            axes.set_title(name)
            axes.grid(alpha=0.3)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(7, 2 * count), frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def batches(result: dict) -> bytes:
    """Milliseconds per sample against batch size, most threads."""
    threads = max(cell["threads"] for cell in result["cells"])

    def draw(axes, name):
        cells = [c for c in result["cells"] if (c["network"], c["threads"]) == (name, threads)]
        for peer, (label, colour, style) in _PEERS.items():
            x = [cell["batch"] for cell in cells]
            y = [1e3 * cell["seconds"][peer]["median"] / cell["batch"] for cell in cells]
            axes.plot(x, y, style, color=colour, label=label, marker="o", markersize=3)
        axes.set(xscale="log", yscale="log", xlabel=f"batch ({threads} threads)", ylabel="ms per sample")
        axes.set_xticks(x, map(str, x), minor=False)
        axes.minorticks_off()

    return _figure(result, len(result["networks"]), draw)


def directions(result: dict) -> bytes:
    """Milliseconds per step against m."""

    def draw(axes, name):
        rows = [row for row in result["scaling"]["directions"] if row["network"] == name]
        for share, colour, label in (
            (False, "#2563eb", "whole batch"),
            (True, "#c2410c", "sharing the batch"),
        ):
            chosen = [row for row in rows if row["share_batch"] == share]
            m, y = [row["m"] for row in chosen], [1e3 * row["seconds"] for row in chosen]
            axes.plot(m, y, color=colour, marker="o", label=label)
            if not share:
                axes.plot(m, [y[0] * k for k in m], ":", color="#6b7280", label="m times one direction")
        axes.set(xlabel="m, directions per step", ylabel="ms per step", ylim=(0, None), xticks=m)

    return _figure(result, len(result["networks"]), draw)


def trainable(result: dict) -> bytes:
    """Share of time against share of multiplications, for each trainable set."""

    def draw(axes, name):
        rows = [row for row in result["scaling"]["trainable"] if row["network"] == name]
        axes.plot([0.4, 1.1], [0.4, 1.1], ":", color="#6b7280", label="as the multiplications")
        chosen = [row for row in rows if row["train"] != "bias"]
        x, y = [row["work_share"] for row in chosen], [row["time_share"] for row in chosen]
        axes.plot(x, y, "o", color="#2563eb", label="last:k and all")
        for row in rows:
            if row["train"] == "bias":
                axes.plot(row["work_share"], row["time_share"], "s", color="#c2410c", label="bias")
        axes.set(xlabel="multiplications, share of all", ylabel="time, share of all")

    return _figure(result, len(result["networks"]), draw)


def parameters(result: dict) -> bytes:
    """Milliseconds per step against the parameters that move."""

    def draw(axes, name):
        rows = [row for row in result["scaling"]["trainable"] if row["network"] == name]
        rows = sorted(
            (row for row in rows if row["train"] != "bias"), key=lambda row: row["trainable_parameters"]
        )
        x, y = [row["trainable_parameters"] for row in rows], [1e3 * row["seconds"] for row in rows]
        axes.plot(x, y, color="#2563eb", marker="o", label="last:k and all")
        axes.set(xscale="log", xlabel="parameters that move", ylabel="ms per step", ylim=(0, None))

    return _figure(result, len(result["networks"]), draw)


PLOTS = {"batches": batches, "directions": directions, "trainable": trainable, "parameters": parameters}
"""Name -> what draws it."""
