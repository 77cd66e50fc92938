"""Fill the tables of the pages in `DOCUMENTS` from benchmarks/results.

The plots are drawn again as well. Times of a busy machine do not enter the document: where other programs took more
than a tenth of the machine in half of the measurements, the tables say so instead. A table stands between
`<!-- table: NAME -->` and `<!-- end -->`; everything between them is replaced.
"""

import json
import re
import statistics

import found_files
import peer_tables
from common import RESULTS, ROOT, percent, table
from learning import family_tables
from learning import tables as learning
from matching_tables import TABLES as MATCHING
from speed_plots import PLOTS
from speed_tables import TABLES
from step_tables import tables as of_steps
from targets import targets

from stepforward.bench.timing import QUIET

DOCUMENTS = [
    ROOT / "docs" / f"{name}.md"
    for name in ("performance", "measurements", "results", "learning", "fewer-passes")
]


def machine(speed):
    """What the figures were measured on, and how."""
    facts = speed["machine"]
    peaks = ", ".join(
        f"{peak['macs_per_second'] / 1e9:.1f} on {peak['threads']} (`{peak['instruction']}`)"
        for peak in facts["peak"]
    )
    software = ", ".join(f"{name} {version}" for name, version in facts["software"].items())
    rows = [
        {"fact": "processor", "value": f"{facts['processor']}, {facts['cores']} cores used"},
        {"fact": "peak, 10⁹ MAC/s by threads", "value": peaks},
        {
            "fact": "copy, one core",
            "value": f"{facts['copy_bytes_per_second'] / 1e9:.1f} GB/s, read and written",
        },
        {"fact": "software", "value": f"{software}, Python {facts['python']}"},
        {"fact": "command", "value": f"`{speed['command']}`, {facts['date']}"},
    ]
    return table(rows, {"fact": "fact", "value": "value"})


def instructions(counts):
    """Instructions of one forward pass and one step."""
    rows = [
        {
            "network": row["network"],
            "build": row["build"],
            "forward": f"{row['forward'] / 1e6:,.2f}",
            "per_mac": f"{row['forward_per_mac']:.2f}",
            "step": f"{row['step'] / 1e6:,.2f}",
            "ratio": f"{row['step_over_two_forwards']:.2f}",
            "where": ", ".join(
                f"{file} {part / row['step']:.0%}" for file, part in [*row["step_by_file"].items()][:5]
            ),
        }
        for row in counts["counts"]
    ]
    headings = {
        "network": f"network ({counts['samples']} samples)",
        "build": "build",
        "forward": "forward, millions",
        "per_mac": "per MAC",
        "step": "step, millions",
        "ratio": "step / two forwards",
        "where": "where a step's instructions are",
    }
    return table(rows, headings)


def target_table(speed):
    """What was asked next to what was measured."""
    met = {True: "yes", False: "no", None: ""}
    found = targets(speed, quiet("time_to_accuracy"), load("device_instructions"), load("speed_peers"))
    rows = [{**row._asdict(), "met": met[row.met]} for row in found]
    return table(rows, {"target": "target", "measured": "measured", "met": "met", "why": "what bounds it"})


SUMMARY = {
    "forward against torch float32": ("forward_vs_torch_f32", 1),
    "forward against ONNX Runtime float32": ("forward_vs_ort_f32", 1),
    "forward against ONNX Runtime int8": ("forward_vs_ort_int8", 1),
    "forward against OpenVINO float32": ("forward_vs_openvino_f32", 1),
    "forward against OpenVINO int8": ("forward_vs_openvino_int8", 1),
    "8-bit weights against OpenVINO int8": ("forward_8bit_vs_openvino_int8", 1),
    "forward against LiteRT (XNNPACK) int8": ("forward_vs_litert_int8", 1),
    "8-bit weights against LiteRT (XNNPACK) int8": ("forward_8bit_vs_litert_int8", 1),
    "a step against a torch backpropagation step": ("step_vs_backprop", 1),
    "a step against a MeZO step (float, torch)": ("step_vs_mezo", 1),
    "a step in forward passes; two are the least": ("step_vs_two_forwards", 2),
    "the same, one direction on the whole batch": ("one_direction_vs_two_forwards", 2),
}
SHOWN = {"resnet20": "ResNet-20", "ds_cnn": "DS-CNN", "mobilenet_v1": "MobileNetV1-0.25", "conv4": "Conv4"}


def summary(speed):
    """Ratios to the peers, batch 64, most threads."""
    cells = [cell for cell in speed["cells"] if cell["batch"] == 64]
    most = max(cell["threads"] for cell in cells)
    ratios = {cell["network"]: cell["ratios"] for cell in cells if cell["threads"] == most}
    rows = []
    for what, (name, times) in SUMMARY.items():
        figures = {
            network: f"{times * ratios[network][name]:.2f}"
            for network in SHOWN
            if name in ratios.get(network, ())
        }
        if not figures:  # a peer that was not installed
            continue
        rows.append({"what": what, **dict.fromkeys(SHOWN, ""), **figures})
    return table(rows, {"what": "", **SHOWN})


def time_to_accuracy():
    """Seconds to an accuracy, seed by seed, and the median."""
    result = quiet("time_to_accuracy")
    if result is None:
        return "Not measured on a quiet machine yet: `python benchmarks/time_to_accuracy.py`."
    rows = [
        {
            "batch": min(run["batch"], run["samples"]),
            "seed": run["seed"],
            "best": percent(run["backprop_best"][2]),
            "backprop": when(run["backprop_best"]),
            "same": when(run["backprop_goal"]),
            "ours": when(run["qzo_ff_goal"]),
            "default": when(run["default_goal"]),
            "ratio": ratio(run["ratio"]),
            "ratio_default": ratio(run["ratio_default"]),
            "ratio_same": ratio(run["ratio_same_goal"]),
        }
        for run in result["runs"]
    ]
    for row in result["summary"]:
        cells = dict.fromkeys(("best", "backprop", "same"), "")
        cells |= {"ours": f"{row['reached']} of {row['seeds']} get there"}
        cells |= {"default": f"{row['reached_default']} of {row['seeds']} get there"}
        cells |= {"ratio": ratio(row["ratio"]), "ratio_default": ratio(row["ratio_default"])}
        cells |= {"ratio_same": ratio(row["ratio_same_goal"])}
        rows.append({"batch": row["batch"], "seed": "median", **cells})
    headings = {
        "batch": "batch",
        "seed": "seed",
        "best": "backpropagation's best",
        "backprop": "its time to that",
        "same": "its time to that less 2 points",
        "ours": "QZO-FF's time to that less 2 points",
        "default": "the same, default settings",
        "ratio": "ratio to its best",
        "ratio_default": "the same, default settings",
        "ratio_same": "ratio to the same goal",
    }
    plot = "![accuracy against wall time](../benchmarks/results/time_to_accuracy.svg)"
    return f"{table(rows, headings)}\n\n{plot}"


def when(point):
    """Seconds and steps of a point."""
    return "not reached" if point is None else f"{point[1]:.2f} s, {point[0]:,} steps"


def ratio(value):
    """A ratio of times, or that there is none."""
    return "not reached" if value is None else f"{value:.1f}"


def load(name):
    """A result, or None if it was not made yet."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def quiet(name):
    """A result of runs that had the machine for themselves, or None."""
    result = load(name)
    busy = result and statistics.median(run["others"] for run in result["runs"]) > QUIET
    return None if busy else result


def plots(speed):
    """The plots next to the result."""
    return "\n".join(f"![cost by {name}](../benchmarks/results/speed-{name}.svg)" for name in PLOTS)


def missing():
    """What to say instead of times; None when there are times of a quiet machine."""
    speed = load("speed")
    if speed is None:
        return "Not measured yet: `make bench`."
    others = statistics.median(cell["others"] for cell in speed["cells"])
    if others > QUIET:
        return f"Not shown: other programs took {others:.0%} of the machine. Close them, then `make bench`."
    return None


def filled(text, tables):
    """The document with every table made again."""

    def replace(match):
        return f"{match.group(1)}\n\n{tables[match.group(2)]()}\n\n<!-- end -->"

    return re.sub(r"(<!-- table: (\w+) -->).*?<!-- end -->", replace, text, flags=re.DOTALL)


def main():
    counts, excuse = load("instructions"), missing()
    makers = {name: make for name, (_, make) in TABLES.items()}
    makers |= {"machine": machine, "plots": plots, "targets": target_table, "summary": summary}
    if excuse:
        tables = {name: lambda: excuse for name in makers}
    else:
        speed = load("speed")
        tables = {name: lambda make=make: make(speed) for name, make in makers.items()}
        for name, draw in PLOTS.items():
            (RESULTS / f"speed-{name}.svg").write_bytes(draw(speed))
    tables["time_to_accuracy"] = time_to_accuracy
    tables["found_files"] = lambda: found_files.shown(load("found_files")["files"])
    tables["instructions"] = lambda: instructions(counts)
    tables |= peer_tables.made(load)
    tables |= learning.made(load("learning"))
    tables |= family_tables.made(load("family"), load("family_before"))
    tables |= {name: lambda of=of, make=make: make(load(of)) for name, (of, make) in MATCHING.items()}
    tables |= of_steps(load("step_cost"), load("device_instructions"))
    for document in DOCUMENTS:
        document.write_text(filled(document.read_text(), tables))


if __name__ == "__main__":
    main()
