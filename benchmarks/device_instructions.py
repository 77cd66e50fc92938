"""Instructions per multiply-accumulate on Cortex-M4 and M55 under QEMU, in plain C and with their own instructions.

python benchmarks/device_instructions.py

Deterministic: `-icount` makes one instruction one unit of the emulated clock, so the counts depend on the compiler
alone; tests/firmware compares with the result. They are instructions, not cycles.
"""

import subprocess
import sys

from common import ROOT, table, write
from step_tables import device_steps

from stepforward.memory import multiply_accumulates

sys.path.insert(0, str(ROOT / "firmware"))
import make_inputs

BUILDS = {
    "M4 plain": ("cortex-m4", "1"),
    "M4 DSP": ("cortex-m4", ""),
    "M55 plain": ("cortex-m55", "1"),
    "M55 Helium": ("cortex-m55", ""),
}
INSTRUCTIONS_PER_TICK = {"cortex-m4": 40.0, "cortex-m55": 31.25}
"""The boards' clocks tick every 40 and every 31.25 ns; with `-icount shift=0` an instruction takes 1 ns."""


def run_board(cpu: str, plain: str, what: str, *words: str) -> list[str]:
    """Lines that the firmware prints; `what` of its Makefile."""
    command = ["make", "-s", "-C", str(ROOT / "firmware"), what, f"CPU={cpu}", f"PLAIN={plain}"]
    command += [*words, f"PYTHON={sys.executable}", "LIMIT=300"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def count(lines: list[str], cpu: str) -> dict:
    """Instructions of each thing that the firmware times, such as a forward pass or a training step, and of each
    operator with stored and with perturbed weights; and bytes of state."""
    unit = INSTRUCTIONS_PER_TICK[cpu]
    numbers = {}
    operators = []
    for line in lines:
        words = line.split()
        if line.startswith("ticks operator"):
            operators.append([round(int(word) * unit) for word in words[3:]])
        elif line.startswith("ticks"):
            numbers[words[1]] = round(int(words[2]) * unit)
        elif line.startswith("bytes state"):
            numbers["state_bytes"] = int(words[2])
    return {**numbers, "operators": operators}


def main():
    runs = {
        "kernels": make_inputs.kernels_run(),
        "plain": make_inputs.small_runs()["plain"],
        "digits": make_inputs.digits_run(),
        "defaults": make_inputs.defaults_run(),
    }
    result = {}
    for name, run in runs.items():
        macs = [multiply_accumulates(run.program, op) for op in run.program.ops]
        result[name] = {
            "operators": [op.kind for op in run.program.ops],
            "products": macs,
            "samples": len(run.x),
            "builds": {
                build: count(run_board(cpu, plain, "run", f"RUN={name}", "STEPS=1"), cpu)
                for build, (cpu, plain) in BUILDS.items()
            },
        }
    matching = {
        build: count(run_board(cpu, plain, "stream", "IMAGES=2"), cpu)
        for build, (cpu, plain) in BUILDS.items()
    }
    write("device_instructions", {"runs": result, "matching": matching})
    print(device_steps({"runs": result, "matching": matching}))

    kernels = result["kernels"]
    labels = {
        0: "3x3 convolution, 16 to 16 on 16x16",
        1: "depthwise 3x3, 16 on 16x16",
        2: "pointwise, 16 to 16 on 16x16",
        4: "fully connected, 256 to 64",
    }
    rows = []
    for index, label in labels.items():
        rows.append({"what": label})
        for build in BUILDS:
            stored, perturbed = kernels["builds"][build]["operators"][index]
            macs = kernels["products"][index]
            rows[-1][build] = f"{stored / macs:.2f} ({perturbed / macs:.2f})"
    for name, label in {"plain": "small network", "digits": "the demo's DS-CNN"}.items():
        macs = sum(result[name]["products"])
        for what, factor in {"forward": 1, "step": 2 * result[name]["samples"]}.items():
            rows.append({"what": f"{label}, {'one forward pass' if what == 'forward' else 'one step'}"})
            for build in BUILDS:
                rows[-1][build] = f"{result[name]['builds'][build][what] / (factor * macs):.2f}"
    print(table(rows, {"what": "instructions per product", **{build: build for build in BUILDS}}))


if __name__ == "__main__":
    main()
