"""Tables of step_cost.py, and of the steps that device_instructions.py counts."""

from common import table

FIRST_RELEASE, DEFAULTS = "first release", "defaults"
ON = {
    (FIRST_RELEASE, "16w8a"): "step of the first release",
    (DEFAULTS, "16w8a"): "step of today's defaults",
    (FIRST_RELEASE, "8w8a"): "step of the first release, 8-bit weights",
}


def options(result: dict) -> str:
    """Time per forward pass of a step with each option next to the step without it, and bytes of state."""
    networks, rows = result["networks"], []
    first = next(iter(networks.values()))["options"]
    for number, option in enumerate(first):
        key = option["on"], option["bits"]
        name = f"**{ON[key]}**" if option["option"] == "plain" else option["option"]
        rows.append({"option": name, "on": ON[key]})
        for network, found in networks.items():
            one = found["options"][number]
            plain = f"{one['microseconds']:,.1f} µs ({one['over_first_release']:.2f})"
            time = plain if one["option"] == "plain" else f"{one['ratio']:.2f}"
            rows[-1][network] = f"{time}; {one['state_bytes']:,} B"
    return table(rows, {"option": "option", "on": "on top of", **{name: name for name in networks}})


def before(result: dict) -> str:
    """Share of a run that the first stage and the search take."""
    rows = []
    for name, found in result["networks"].items():
        part = found["before"]
        rows.append({"network": name, "run": f"{part['passes']:,}"})
        for what in ("search", "first_stage"):
            rows[-1][what] = f"{part[f'{what}_passes']:,} ({part[f'{what}_passes_share']:.1%})"
            rows[-1][f"{what} time"] = f"{part[f'{what}_time_share']:.1%}"
    headings = {
        "network": "network",
        "run": f"passes of {result['steps']:,} steps",
        "search": "passes of the search",
        "search time": "its time",
        "first_stage": "passes of the first stage",
        "first_stage time": "its time",
    }
    return table(rows, headings)


def device_steps(found: dict) -> str:
    """What a step of the first release, one of today's defaults, and matching take of the demo's network."""
    builds = found["runs"]["digits"]["builds"]
    rows = [
        {"what": "forward pass, stored weights"}
        | {name: f"{row['forward'] / 1e6:.2f}" for name, row in builds.items()}
    ]
    for name, label in {
        "digits": "step of the first release",
        "defaults": "step of today's defaults",
    }.items():
        run = found["runs"][name]
        passes = 2 * run["samples"]
        rows.append({"what": f"{label}, {passes} passes"})
        for build, counts in run["builds"].items():
            rows[-1][build] = (
                f"{counts['step'] / 1e6:.1f} ({counts['step'] / passes / counts['forward']:.2f})"
            )
    labels = {
        "matched": "inference with matched constants",
        "counted": "the same, counted",
        "refresh": "refresh of the constants",
    }
    for name, label in labels.items():
        rows.append({"what": label})
        for build, counts in found["matching"].items():
            rows[-1][build] = f"{counts[name] / 1e6:.2f} ({counts[name] / counts['inference']:.2f})"
    return table(
        rows,
        {"what": "millions of instructions (per pass, in forward passes)", **{name: name for name in builds}},
    )


def tables(costs: dict | None, device: dict) -> dict:
    """By the names that the documents use."""
    made = {"device_steps": lambda: device_steps(device)}
    if costs:
        made |= {"options": lambda: options(costs), "before_steps": lambda: before(costs)}
    return made
