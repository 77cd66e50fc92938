"""Kill, starve and interrupt adaptations at every place, resume them, and compare the weights with an undisturbed run.

    python tools/crash/crash.py                  everything
    python tools/crash/crash.py --every 7        only every seventh file call

A small network adapts in a process of its own for every case. Its folder must then hold no run, or one that `resume`
ends with the same weights. Cases: killed before file call k, for every k; the disk full (ENOSPC) or broken (EIO) from
call k on; killed and interrupted (Ctrl-C) after random times, and resumed with another number of threads and another
choice of memory. Needs a C compiler. Prints one line for each kind; ends with 1 where anything was wrong.
"""

import argparse
import contextlib
import ctypes
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
COUNT, KILL, FAIL = range(3)
STEPS, VALIDATIONS = 192, 6
SLOWER = 40  # times the steps where something happens after a time


def preloaded() -> ctypes.CDLL:
    """The library of faults, in front of the C library: this program starts again where it is not."""
    built = Path(tempfile.gettempdir()) / f"stepforward-faults-{os.getuid()}.so"
    if os.environ.get("LD_PRELOAD") != str(built):
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", built, HERE / "faults.c", "-ldl"], check=True)
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"LD_PRELOAD": str(built)})
    return ctypes.CDLL(str(built))


def task():
    """A network with a convolution and a dense layer, in fixed point, and 60 samples of three classes."""
    import numpy as np
    import onnx_ir as ir
    from onnx import TensorProto, helper, numpy_helper

    import stepforward

    wave = np.sin(np.arange(2000, dtype=np.float32) * 1.7)
    weights = {
        "w": 0.3 * wave[:72].reshape(8, 1, 3, 3),
        "b": wave[:8],
        "v": 0.2 * wave[9:393].reshape(3, 128),
        "c": wave[:3],
    }
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "v", "c"], ["y"], transB=1),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])
    initial = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    labels = np.arange(60) % 3
    samples = (
        np.sin(np.arange(60 * 64, dtype=np.float32) * 0.37).reshape(60, 1, 8, 8)
        + labels.reshape(-1, 1, 1, 1) / 3
    )
    return stepforward.quantize(ir.from_proto(model), samples.astype(np.float32)), (
        samples.astype(np.float32),
        labels,
    )


def in_a_child(work: Callable[[], None]) -> int:
    """The wait status of a forked process that does the work: exit code 2 for a StepforwardError, 130 for Ctrl-C."""
    child = os.fork()
    if child:
        return child
    from stepforward.errors import StepforwardError

    code = 70
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        try:
            work()
            code = 0
        except StepforwardError:
            code = 2
        except KeyboardInterrupt:
            code = 130
        finally:
            os._exit(code)


def ended(child: int) -> str:
    """How a child ended."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed"
    return {0: "done", 2: "refused", 130: "stopped"}.get(os.WEXITSTATUS(status), "crashed")


class Bench:
    """One task, its undisturbed weights, and the cases tried on it."""

    def __init__(self, faults: ctypes.CDLL, folder: Path, steps: int):
        self.faults, self.folder, self.steps = faults, folder, steps
        self.model, self.data = task()
        self.cases, self.wrong = 0, []
        self.expected = self.adapt(folder / "whole")

    def adapt(self, out: Path, **options) -> str:
        """SHA-256 of the weights of a run."""
        import stepforward

        settings = {"steps": self.steps, "evaluate_every": self.steps // VALIDATIONS, "threads": 1} | options
        return stepforward.adapt(self.model, self.data, out=out, progress=False, **settings)["weights_sha256"]

    def calls(self) -> int:
        """File calls of an undisturbed run."""
        out = self.folder / "counted"
        self.faults.faults_arm(str(out).encode(), COUNT, 0, 0)
        self.adapt(out)
        calls = self.faults.faults_calls()
        self.faults.faults_arm(b"", COUNT, 0, 0)
        shutil.rmtree(out)
        return calls

    def case(
        self, name: str, disturb: Callable[[Path], int], wait: Callable[[int], None] | None = None, **resumed
    ) -> None:
        """Run disturbed, then resume as a person would, and compare."""
        out = self.folder / "run"
        child = in_a_child(lambda: disturb(out))
        if wait is not None:
            wait(child)
        how = ended(child)
        self.cases += 1
        found = self._aftermath(out, resumed) if how != "crashed" else "ended in an internal error"
        if found:
            self.wrong.append(f"{name}: {how}; {found}")
        shutil.rmtree(out, ignore_errors=True)

    def _aftermath(self, out: Path, resumed: dict) -> str:
        """What is wrong with what a disturbed run left; empty if nothing is."""
        from stepforward.errors import StepforwardError

        for final in ("adapted.onnx", "result.json"):
            if (out / final).exists() and (out / final).stat().st_size == 0:
                return f"{final} is empty"
        try:
            sha = self.adapt(out, resume=(out / "journal").exists(), **resumed)
        except StepforwardError as error:
            return f"not resumed: {error}"
        left = sorted(path.name for path in out.iterdir() if path.name.startswith("."))
        if sha != self.expected:
            return "other weights"
        return f"left {left}" if left else ""

    def at_calls(self, name: str, mode: int, number: int, every: int, count: int) -> None:
        """A fault at every file call."""
        for k in range(1, count + 1, every):

            def disturb(out, k=k):
                self.faults.faults_arm(str(out).encode(), mode, k, number)
                self.adapt(out)

            self.case(f"{name} {k}", disturb)

    def at_times(self, name: str, number: int, count: int, seconds: float, options: Iterator[dict]) -> None:
        """A signal after a random time."""
        times = random.Random(7)
        for i in range(count):
            after = times.uniform(0, seconds)

            def wait(child, after=after):
                time.sleep(after)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, number)

            self.case(f"{name} {i} after {after:.3f} s", self.adapt, wait, **next(options))


def changed() -> Iterator[dict]:
    """Options that a resumed run may have and that change no bit."""
    while True:
        yield from ({}, {"threads": 2}, {"memory": "small"}, {"threads": 3, "memory": "small"})


def main() -> int:
    """Run all cases; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=int, default=1, help="try only every so many file calls")
    parser.add_argument("--random", type=int, default=100, help="random kills, and as many Ctrl-C")
    given, faults = parser.parse_args(), preloaded()
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(faults, Path(name), STEPS)
        calls = bench.calls()
        for title, mode, number in (
            ("killed at call", KILL, 0),
            ("disk full from call", FAIL, errno.ENOSPC),
            ("EIO from call", FAIL, errno.EIO),
        ):
            before, failed = bench.cases, len(bench.wrong)
            bench.at_calls(title, mode, number, given.every, calls)
            print(
                f"{title} k of {calls}: {bench.cases - before} cases, {len(bench.wrong) - failed} wrong",
                flush=True,
            )
        wrong += bench.wrong
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(faults, Path(name), SLOWER * STEPS)
        started = time.monotonic()
        bench.adapt(Path(name) / "timed")
        seconds = time.monotonic() - started
        for title, number in (("killed", signal.SIGKILL), ("Ctrl-C", signal.SIGINT)):
            before, failed = bench.cases, len(bench.wrong)
            bench.at_times(title, number, given.random, seconds, changed())
            print(
                f"{title} at a random time: {bench.cases - before} cases, {len(bench.wrong) - failed} wrong",
                flush=True,
            )
        wrong += bench.wrong
    print("\n".join(wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
