"""Fill the tables of docs/performance.md from benchmarks/results/speed.json and instructions.json.

Times of a busy machine do not enter the document: where other programs took more than a tenth of the machine in half of
the measurements, the tables say so instead. A table stands between `<!-- table: NAME -->` and `<!-- end -->`;
everything between them is replaced.
"""

import json
import re
import statistics

from common import RESULTS, ROOT, table

from stepforward.bench.markdown import TABLES
from stepforward.bench.plots import PLOTS
from stepforward.bench.timing import QUIET

DOCUMENT = ROOT / "docs" / "performance.md"


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


def plots(speed):
    """The plots beside the result."""
    return "\n".join(f"![cost by {name}](../benchmarks/results/speed-{name}.svg)" for name in PLOTS)


def missing():
    """What to say instead of times; None when there are times of a quiet machine."""
    path = RESULTS / "speed.json"
    if not path.exists():
        return "Not measured yet: `make bench`."
    others = statistics.median(cell["others"] for cell in json.loads(path.read_text())["cells"])
    if others > QUIET:
        return f"Not shown: other programs took {others:.0%} of the machine. Close them, then `make bench`."
    return None


def filled(text, tables):
    """The document with every table made anew."""

    def replace(match):
        return f"{match.group(1)}\n\n{tables[match.group(2)]()}\n\n<!-- end -->"

    return re.sub(r"(<!-- table: (\w+) -->).*?<!-- end -->", replace, text, flags=re.DOTALL)


def main():
    counts, excuse = json.loads((RESULTS / "instructions.json").read_text()), missing()
    makers = {name: make for name, (_, make) in TABLES.items()} | {"machine": machine, "plots": plots}
    if excuse:
        tables = {name: lambda: excuse for name in makers}
    else:
        speed = json.loads((RESULTS / "speed.json").read_text())
        tables = {name: lambda make=make: make(speed) for name, make in makers.items()}
    tables["instructions"] = lambda: instructions(counts)
    DOCUMENT.write_text(filled(DOCUMENT.read_text(), tables))


if __name__ == "__main__":
    main()
