"""Sum what gcov counted for some builds of the C core, and print lines and branches per file.

Usage: python tools/coverage.py FOLDER...    each with the .gcno and .gcda files of one level of kernels

A line or a branch counts as taken if it was on any level; a file of which a level compiles nothing adds nothing there.
What a compiler adds by itself (branches of a line without a source of its own, calls that never return) is gcov's to
leave out; nothing else is.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path


def counted(folder: Path) -> list[dict]:
    """The files of every object in a folder, as gcov's JSON has them."""
    objects = sorted(path.resolve() for path in folder.rglob("*.gcno"))
    with tempfile.TemporaryDirectory() as place:
        for number, path in enumerate(objects):
            room = Path(place, str(number))
            room.mkdir()
            command = ["gcov", "--json-format", "--branch-probabilities", str(path)]
            subprocess.run(command, cwd=room, check=True, capture_output=True)
        found = [json.loads(gzip.decompress(p.read_bytes())) for p in Path(place).rglob("*.gcov.json.gz")]
    return [file for report in found for file in report["files"]]


def merge(folders: list[Path], core: Path) -> tuple[dict, dict]:
    """Counts by (file, line), and of branches by (file, line, function, how many there are, which).

    A line whose branches differ in number between builds (a header's, with other macros) keeps those of each.
    """
    lines, branches = defaultdict(int), defaultdict(int)
    for folder in folders:
        for file in counted(folder):
            path = (core / file["file"]).resolve()
            if not path.is_relative_to(core):
                continue
            name = str(path.relative_to(core))
            for line in file["lines"]:
                at = name, line["line_number"]
                lines[at] += line["count"]
                for number, branch in enumerate(line["branches"]):
                    key = *at, line.get("function_name", ""), len(line["branches"]), number
                    branches[key] += branch["count"]
    return lines, branches


def share(counts: list[int]) -> str:
    """Taken and all, and the part in percent."""
    taken = sum(count > 0 for count in counts)
    return f"{taken:5d}/{len(counts):5d} {100 * taken / max(1, len(counts)):6.1f} %"


def main():
    """Print the table; with --open also every branch that no level took."""
    core = Path(__file__).resolve().parents[1] / "src" / "stepforward" / "core"
    folders = [Path(word) for word in sys.argv[1:] if word != "--open"]
    lines, branches = merge(folders, core)
    print(f"{'file':38} {'lines':>21} {'branches':>22}")
    for name in sorted({key[0] for key in lines}):
        own = [[n for key, n in counts.items() if key[0] == name] for counts in (lines, branches)]
        print(f"{name:38} {share(own[0])} {share(own[1])}")
        if "--open" in sys.argv:
            places = sorted({key[1] for key, n in branches.items() if key[0] == name and n == 0})
            print("    open:", *places) if places else None
    print(f"{'all':38} {share(list(lines.values()))} {share(list(branches.values()))}")


if __name__ == "__main__":
    main()
