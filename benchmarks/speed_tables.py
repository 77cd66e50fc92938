"""Markdown tables of a benchmark's result (`bench.full`)."""

from collections.abc import Iterable

from stepforward.engines.host_memory import CHOICES

EXPLAINED = 64

WITHIN = 0.2
"""How far the cost of a trainable set may lie from what its multiplications say."""


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
                f"{facts['multiplications'] / 1e6:.2f}",
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
        "multiplications, millions",
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
        floor = EXPLAINED * facts["multiplications"] / peak
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


def kernel(result: dict) -> str:
    """Share of the peak that one convolution reaches."""
    rows = result.get("kernel", [])
    if not rows:
        return "Not measured: no C compiler, or a processor whose peak is not known."
    threads = sorted({row["threads"] for row in rows})
    shares = {(row["products"], row["rows"], row["threads"]): row for row in rows}
    shapes = dict.fromkeys((row["products"], row["rows"]) for row in rows)
    columns = [[shares[(*shape, count)] for count in threads] for shape in shapes]
    headings = ["products per output, K", "output channels"]
    for count in threads:
        headings += [f"10⁹ MAC/s, {count} thread{'s' * (count > 1)}", "share of peak"]
    cells = []
    for (products, channels), found in zip(shapes, columns, strict=True):
        figures = [(f"{row['macs_per_second'] / 1e9:.1f}", f"{row['share']:.0%}") for row in found]
        cells.append((f"{products:,}", channels, *(text for pair in figures for text in pair)))
    return _table(headings, cells)


def speedup(result: dict) -> str:
    """What more threads bring."""
    rows = []
    for name in result["networks"]:
        cells = {cell["threads"]: cell for cell in _cells(result, EXPLAINED) if cell["network"] == name}
        first = cells.get(min(cells, default=0))
        for count in sorted(cells)[1:]:
            row = [name, f"{min(cells)} to {count}"]
            for call in ("core_forward", "core_step"):
                before, after = (cell["seconds"][call]["median"] for cell in (first, cells[count]))
                row += [_ms(before), _ms(after), f"{before / after:.2f}"]
            rows.append(row)
    headings = ("network", "threads", "forward, ms: before", "after", "times faster")
    return _table((*headings, "step, ms: before", "after", "times faster"), rows)


def comparison(result: dict) -> str:
    """Ratios to the peers."""
    figures = {
        "forward_vs_torch_f32": "forward / torch f32",
        "forward_vs_torch_f32_channels_last": "channels last",
        "forward_vs_ort_f32": "ORT f32",
        "forward_vs_ort_int8": "ORT int8",
        "forward_8bit_vs_ort_int8": "8-bit weights / ORT int8",
        "forward_vs_openvino_f32": "OpenVINO f32",
        "forward_vs_openvino_int8": "OpenVINO int8",
        "forward_8bit_vs_openvino_int8": "8-bit weights / OpenVINO int8",
        "forward_vs_litert_int8": "LiteRT int8",
        "forward_8bit_vs_litert_int8": "8-bit weights / LiteRT int8",
        "step_vs_two_forwards": "step / two forwards",
        "step_vs_backprop": "step / backprop",
        "step_vs_backprop_channels_last": "channels last",
        "step_vs_mezo": "MeZO",
        "one_direction_vs_two_forwards": "m = 1: step / two forwards",
        "one_direction_vs_backprop": "m = 1: step / backprop",
        "one_direction_vs_mezo": "m = 1: MeZO",
    }
    measured = {key for cell in result["cells"] for key in cell["ratios"]}
    figures = {key: heading for key, heading in figures.items() if key in measured}
    rows = [
        (
            *(cell[key] for key in ("network", "batch", "threads")),
            *(f"{cell['ratios'][key]:.2f}" if key in cell["ratios"] else "" for key in figures),
            f"{cell['others']:.0%}",
        )
        for cell in _cells(result)
    ]
    return _table(("network", "batch", "threads", *figures.values(), "other programs"), rows)


def limits(result: dict) -> str:
    """What the ratios could be at most: the peer's time over the floor of ours."""
    rows = []
    for cell in _cells(result, EXPLAINED):
        peak = _peak(result, cell["threads"])
        if peak is None:
            continue
        floor = EXPLAINED * result["networks"][cell["network"]]["multiplications"] / peak
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
        forwards, rest = 2 * step["forward"], step["step"] - step["probes"] - step["update"]
        shares = (forwards, step["probes"] - forwards, step["update"], rest)
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
        "two forward passes",
        "packing both probes, losses",
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
            seconds, macs, left = (
                sum(row[key] for row in chosen) for key in ("seconds", "macs", "multiplications")
            )
            share = f"{left / seconds / peak:.0%}" if left and peak else ""
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
                *(f"{count / 2**20:.2f}" for count in facts["host_scratch_bytes"].values()),
                f"{facts['arena_bytes'] / 1024:.1f}",
            )
        )
    headings = (
        "network",
        "adapting, MiB",
        "backpropagation in torch, MiB",
        "ratio",
        *(f"scratch here, {choice}, MiB" for choice in CHOICES),
        "planned arena, KiB per sample",
    )
    return _table(headings, rows)


def directions(result: dict) -> str:
    """Cost against m."""
    rows = result["scaling"]["directions"]
    seconds = {(row["network"], row["m"], row["share_batch"]): row["seconds"] for row in rows}
    columns = ("whole batch, ms", "times m = 1", "sharing the batch, ms", "times m = 1")
    return _table(
        ("network", "m", *columns),
        (
            (name, m, *_over_one(seconds, name, m, False), *_over_one(seconds, name, m, True))
            for name, m in dict.fromkeys((row["network"], row["m"]) for row in rows)
        ),
    )


def _over_one(seconds, name, m, share):
    here, one = seconds[name, m, share], seconds[name, 1, False]
    return _ms(here), f"{here / one:.2f}"


def trainable(result: dict) -> str:
    """Cost against the trainable set, and for how many sets it is as the multiplications say."""
    sets = result["scaling"]["trainable"]
    rows = (
        (
            f"{row['network']}: {_set(row)}",
            f"{row['trainable_parameters']:,}",
            _ms(row["seconds"]),
            f"{row['work_share']:.2f}",
            f"{row['time_share']:.2f}",
            f"{difference(row):+.0%}",
        )
        for row in sets
    )
    headings = (
        "set",
        "parameters that move",
        "step, ms",
        "share of multiplications",
        "share of time",
        "difference",
    )
    smaller = [row for row in sets if row["train"] != "all"]
    outside = [row for row in smaller if abs(difference(row)) > WITHIN]
    text = f"The difference lies within {WITHIN:.0%} for {len(smaller) - len(outside)} of {len(smaller)} sets"
    named = ", ".join(f"{row['network']} {_set(row)} ({difference(row):+.0%})" for row in outside)
    return f"{_table(headings, rows)}\n\n{text}{f'; outside: {named}' if named else ''}."


def difference(row: dict) -> float:
    """Of a step's share of the time from its share of the multiplications, relative to that."""
    return row["time_share"] / row["work_share"] - 1


def _set(row):
    return "last:1 (`head`)" if row["train"] == "last:1" else row["train"]


TABLES = {
    "kernel": ("The multiply kernel", kernel),
    "floors": ("The floor", floors),
    "distance": ("Distance from the floor", distance),
    "comparison": ("Next to the peers", comparison),
    "speedup": ("Threads", speedup),
    "limits": ("What the ratios could be at most", limits),
    "parts": ("Parts of a step", parts),
    "operators": ("Operators", operators),
    "memory": ("Memory", memory),
    "directions": ("Cost of m", directions),
    "trainable": ("Cost of the trainable set", trainable),
}
"""Name -> title, and what makes the table."""
