"""Markdown tables of a benchmark's result (`bench.full`)."""

from collections.abc import Iterable

EXPLAINED = 64


def _table(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    headings = list(headings)
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" + " ---: |" * (len(headings) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:,.2f}" if seconds < 1 else f"{1e3 * seconds:,.0f}"


def _cells(result: dict, batch: int | None = None) -> list[dict]:
    return [cell for cell in result["cells"] if batch is None or cell["batch"] == batch]


def _peak(result: dict, threads: int) -> float | None:
    return next((p["macs_per_second"] for p in result["machine"]["peak"] if p["threads"] == threads), None)


def floors(result: dict) -> str:
    """Operations, bytes and floors."""
    rows = []
    for name, facts in result["networks"].items():
        if "floor" not in facts:
            continue
        floor = facts["floor"]
        rows.append(
            (
                name,
                f"{facts['macs'] / 1e6:.2f}",
                f"{facts['parameters']:,}",
                f"{facts['activation_bytes'] / 1024:,.0f}",
                _ms(floor["multiply"]),
                _ms(floor["move"]),
                _ms(2 * max(floor["multiply"], floor["move"])),
            )
        )
    headings = (
        "network",
        "million MACs per sample",
        "parameters",
        "KiB moved per sample",
        "multiply floor, ms",
        "move floor, ms",
        "step floor, ms",
    )
    return _table(headings, rows)


def distance(result: dict) -> str:
    """Measured times as a distance from the floor."""
    rows = []
    for cell in _cells(result, EXPLAINED):
        facts, seconds = result["networks"][cell["network"]], cell["seconds"]
        peak = _peak(result, cell["threads"])
        if peak is None:
            continue
        floor = EXPLAINED * facts["macs"] / peak
        forward, step = seconds["core_forward"], seconds["core_step"]
        rows.append(
            (
                cell["network"],
                cell["threads"],
                f"{_ms(forward['median'])} ({_ms(forward['low'])} to {_ms(forward['high'])})",
                f"{floor / forward['median']:.0%}",
                _ms(step["median"]),
                f"{2 * floor / step['median']:.0%}",
                f"{cell['images_per_second']:,.0f}",
                f"{cell['macs_per_second'] / 1e9:.1f}",
            )
        )
    headings = (
        "network",
        "threads",
        "forward, ms (quartiles)",
        "share of peak",
        "step, ms",
        "share of peak",
        "images/s",
        "10⁹ MAC/s",
    )
    return _table(headings, rows)


def comparison(result: dict) -> str:
    """Ratios to the peers."""
    figures = {
        "forward_vs_torch_f32": "forward / torch f32",
        "forward_vs_torch_f32_channels_last": "channels last",
        "forward_vs_ort_f32": "ORT f32",
        "forward_vs_ort_int8": "ORT int8",
        "step_vs_two_forwards": "step / two forwards",
        "step_vs_backprop": "step / backprop",
        "step_vs_mezo": "MeZO",
    }
    rows = [
        (
            *(cell[key] for key in ("network", "batch", "threads")),
            *(f"{cell['ratios'][key]:.2f}" for key in figures),
            f"{cell['others']:.0%}",
        )
        for cell in _cells(result)
    ]
    return _table(("network", "batch", "threads", *figures.values(), "other programs"), rows)


def limits(result: dict) -> str:
    """What the ratios could be at most: the peer's time beside the floor of ours."""
    rows = []
    for cell in _cells(result, EXPLAINED):
        peak = _peak(result, cell["threads"])
        if peak is None:
            continue
        floor = EXPLAINED * result["networks"][cell["network"]]["macs"] / peak
        forward = ("torch_f32_forward", "ort_f32_forward", "ort_int8_forward")
        step = ("backprop_step", "mezo_step")
        rows.append(
            (
                cell["network"],
                cell["threads"],
                *(f"{cell['seconds'][peer]['median'] / floor:.1f}" for peer in forward),
                *(f"{cell['seconds'][peer]['median'] / (2 * floor):.1f}" for peer in step),
            )
        )
    return _table(
        ("network", "threads", "torch f32", "ORT f32", "ORT int8", "backprop step", "MeZO step"), rows
    )


def parts(result: dict) -> str:
    """The parts of a step."""
    rows = []
    for name, facts in result["networks"].items():
        step = facts["step"]
        perturb = step["probes"] - step["plain"]
        rest = step["step"] - step["probes"] - step["update"]
        shares = (step["plain"], perturb, step["update"], rest)
        rows.append(
            (
                name,
                _ms(step["step"]),
                *(f"{_ms(part)} ({part / step['step']:.0%})" for part in shares),
                _ms(step["generate_once"]),
            )
        )
    headings = (
        "network",
        "step, ms",
        "two forward passes and losses",
        "perturbing on the way",
        "update",
        "rest",
        "generator alone, once, one thread",
    )
    return _table(headings, rows)


def operators(result: dict) -> str:
    """Time and rate by kind of operator, one thread."""
    rows, peak = [], _peak(result, 1)
    for name, facts in result["networks"].items():
        total = sum(row["seconds"] for row in facts["operators"])
        for kind in dict.fromkeys(row["kind"] for row in facts["operators"]):
            chosen = [row for row in facts["operators"] if row["kind"] == kind]
            seconds, macs = sum(row["seconds"] for row in chosen), sum(row["macs"] for row in chosen)
            share = f"{macs / seconds / peak:.0%}" if macs and peak else ""
            rate = f"{macs / seconds / 1e9:.1f}" if macs else ""
            rows.append((f"{name}: {kind}", len(chosen), _ms(seconds), f"{seconds / total:.0%}", rate, share))
    return _table(
        ("operators", "number", "ms", "share of forward", "10⁹ MAC/s", "share of one core's peak"), rows
    )


def memory(result: dict) -> str:
    """Peak memory of processes above idle."""
    rows = []
    for name, facts in result["networks"].items():
        ours, theirs = facts["memory"]["core"]["above"], facts["memory"]["backprop"]["above"]
        rows.append(
            (
                name,
                f"{ours / 2**20:.1f}",
                f"{theirs / 2**20:.1f}",
                f"1/{theirs / ours:.0f}",
                f"{facts['host_scratch_bytes'] / 2**20:.2f}",
                f"{facts['arena_bytes'] / 1024:.1f}",
            )
        )
    headings = (
        "network",
        "adapting, MiB",
        "backpropagation in torch, MiB",
        "ratio",
        "scratch here, MiB",
        "planned arena, KiB per sample",
    )
    return _table(headings, rows)


def directions(result: dict) -> str:
    """Cost against m."""
    rows = result["scaling"]["directions"]
    one = {row["network"]: row["seconds"] for row in rows if row["m"] == 1}
    return _table(
        ("network", "m", "step, ms", "times m = 1"),
        (
            (row["network"], row["m"], _ms(row["seconds"]), f"{row['seconds'] / one[row['network']]:.2f}")
            for row in rows
        ),
    )


def trainable(result: dict) -> str:
    """Cost against the trainable set."""
    rows = (
        (
            f"{row['network']}: {row['train']}",
            f"{row['trainable_parameters']:,}",
            _ms(row["seconds"]),
            f"{row['mac_share']:.2f}",
            f"{row['time_share']:.2f}",
            f"{row['time_share'] / row['mac_share'] - 1:+.0%}",
        )
        for row in result["scaling"]["trainable"]
    )
    headings = ("set", "parameters that move", "step, ms", "share of MACs", "share of time", "difference")
    return _table(headings, rows)


TABLES = {
    "floors": ("The floor", floors),
    "distance": ("Distance from the floor", distance),
    "comparison": ("Beside the peers", comparison),
    "limits": ("What the ratios could be at most", limits),
    "parts": ("Parts of a step", parts),
    "operators": ("Operators", operators),
    "memory": ("Memory", memory),
    "directions": ("Cost of m", directions),
    "trainable": ("Cost of the trainable set", trainable),
}
"""Name -> title, and what makes the table."""
