"""Count the instructions of one forward pass and one step, and compare them with the counts kept in instructions.json.

Counts do not depend on how busy the machine is, so a slower kernel shows even where times are noise. They come from
valgrind's callgrind, which knows AVX2 and not AVX-512: `avx2` counts the path a machine without AVX-512 takes, `plain`
the portable kernels. The compiler decides too: with another one than the file names, nothing is compared.
A step is split by the source file of the function that executes (what is inlined counts for its caller).

    python benchmarks/instructions.py             compare; fails where a count grew by more than two per cent
    python benchmarks/instructions.py --update    keep the present counts

Needs valgrind, a C compiler, and the extras torch and ort.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from common import RESULTS, ROOT, table, write

from stepforward.bench.training import ONE_DIRECTION, training
from stepforward.bench.workload import prepare
from stepforward.plan import fileformat as plan_file
from stepforward.program import fileformat

CORE = ROOT / "src" / "stepforward" / "core"
NETWORKS = ("lenet5", "ds_cnn", "resnet20")
BUILDS = {"avx2": [], "plain": ["-DSF_PLAIN"]}
COUNTED = {"forward": "sf_logits", "step": "sf_train_step"}
SAMPLES = 4
TOLERANCE = 0.02


def compile_core(folder, flags):
    out = folder / "count_instructions"
    core = [path for path in CORE.rglob("*.c") if path.parent.name != "threads"]
    sources = [*core, ROOT / "benchmarks" / "count_instructions.c"]
    command = ["cc", "-std=c11", "-O3", "-g", *flags, f"-I{CORE / 'include'}", f"-I{CORE}", "-o", out]
    command += sorted(sources)
    subprocess.run(command, check=True)
    return out


def count(program, files, what):
    """Instructions by source file."""
    out = program.with_name("callgrind.out")
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    command += [f"--toggle-collect={COUNTED[what]}", program, *files, what, str(SAMPLES)]
    subprocess.run(command, capture_output=True, text=True, check=True)
    return by_file(out.read_text())


def by_file(profile):
    """Self costs of a callgrind profile, summed over the functions of each source file."""
    counts, names, file, calling = Counter(), {}, "", False
    for line in profile.splitlines():
        if match := re.match(r"fl=(\(\d+\))(?: (.*))?", line):
            key, name = match.groups()
            file = names.setdefault(key, name)
        elif match := re.match(r"(?:fi|fe|cfi|cfl)=(\(\d+\)) (.*)", line):
            names.setdefault(*match.groups())
        elif line.startswith("calls="):
            calling = True  # the next line is what the callee took, and is counted there
        elif match := re.match(r"[-+*\d]\S* (\d+)$", line):
            counts[Path(file).name] += 0 if calling else int(match.group(1))
            calling = False
    return counts


def measure():
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        works = [prepare(network, folder, 1, int8=False) for network in NETWORKS]
        for build, flags in BUILDS.items():
            program = compile_core(folder, flags)
            for work in works:
                files = folder / f"{work.name}.sfp", folder / f"{work.name}.sft"
                trained, plan = training(work.program, **ONE_DIRECTION)
                fileformat.save(trained, files[0])
                plan_file.save(plan, files[1])
                row = {"network": work.name, "build": build}
                parts = {what: count(program, files, what) for what in COUNTED}
                row |= {what: part.total() for what, part in parts.items()}
                row["forward_per_mac"] = round(row["forward"] / (SAMPLES * work.macs), 3)
                row["step_over_two_forwards"] = round(row["step"] / (2 * row["forward"]), 3)
                print(row, flush=True)
                row["step_by_file"] = dict(parts["step"].most_common())
                rows.append(row)
    return rows


def compiler():
    return subprocess.run(
        ["cc", "--version"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[0]


def compare(rows, kept):
    """One line for every count that grew by more than the tolerance."""
    before = {(row["network"], row["build"]): row for row in kept["counts"]}
    for row in rows:
        old = before.get((row["network"], row["build"]))
        for what in COUNTED:
            if old and row[what] > old[what] * (1 + TOLERANCE):
                yield f"{row['network']} {what} ({row['build']}): {old[what]:,} -> {row[what]:,} instructions"


def main():
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--update", action="store_true", help="keep the present counts")
    given = arguments.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("instructions.py needs valgrind (apt-get install valgrind)")
    path, rows = RESULTS / "instructions.json", measure()
    print(table(rows, {key: key.replace("_", " ") for key in rows[0] if key != "step_by_file"}))
    if given.update or not path.exists():
        write("instructions", {"compiler": compiler(), "samples": SAMPLES, "counts": rows})
        return
    kept = json.loads(path.read_text())
    if kept["compiler"] != compiler():
        print(f"not compared: the kept counts are of {kept['compiler']}, this is {compiler()}")
        return
    worse = list(compare(rows, kept))
    if worse:
        sys.exit("more instructions than before:\n" + "\n".join(worse))


if __name__ == "__main__":
    main()
