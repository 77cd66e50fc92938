"""Fuzz one reader: the worker takes inputs one after another, and this process starts another where one dies."""

import argparse
import hashlib
import json
import mmap
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from fuzz.parsers import MODULES, parser
from fuzz.trial import limit_memory, trial

CORPUS = Path(__file__).parent / "corpus"
_ROOM = 2**20


def main(arguments: list[str] | None = None) -> int:
    """Returns 1 if something was found."""
    options = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    options.add_argument("--parser", default="all", choices=["all", *MODULES])
    options.add_argument("--runs", type=int, default=1000, help="inputs per parser")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--first", type=int, default=0, help="number of the first input")
    options.add_argument(
        "--out", type=Path, default=Path("build/fuzz"), help="where inputs with a finding go"
    )
    options.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args(arguments)
    if given.worker:
        return _work(given)
    names = list(MODULES) if given.parser == "all" else [given.parser]
    found = [_supervise(name, given) for name in names]
    return int(any(found))


def _supervise(name: str, given: argparse.Namespace) -> bool:
    """Run one parser to the end, over the deaths of its workers; print a line; tell whether something was found."""
    given.out.mkdir(parents=True, exist_ok=True)
    current = given.out / f"{name}.current"
    current.write_bytes(bytes(_ROOM))
    counts, found, first, started = {"read": 0, "refused": 0}, {}, given.first, time.monotonic()
    last = given.first + given.runs
    while first < last:
        command = [
            sys.executable,
            "-m",
            "fuzz",
            "--parser",
            name,
            "--seed",
            str(given.seed),
            "--first",
            str(first),
        ]
        command += ["--runs", str(last - first), "--out", str(given.out), "--worker", str(current)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            answer = None
            for line in worker.stdout:
                answer = json.loads(line)
                if "content" in answer:
                    _save(name, given.out, bytes.fromhex(answer.pop("content")), answer, found)
                else:
                    done = answer
        if worker.returncode == 0:
            counts = {kind: counts[kind] + done[kind] for kind in counts}
            break
        held = current.read_bytes()
        at, size = (int.from_bytes(held[place : place + 8], "little") for place in (0, 8))
        what = {"found": f"the process died with code {worker.returncode}", "number": at}
        _save(name, given.out, held[16 : 16 + size], what, found)
        first = at + 1
    current.unlink()
    seconds, runs = time.monotonic() - started, last - given.first
    print(
        f"{name}: {runs:,} inputs of seed {given.seed}, {counts['read']:,} read, {counts['refused']:,} refused, "
        f"{len(found)} findings, {seconds:.0f} s, {runs / seconds:,.0f} a second",
        flush=True,
    )
    return bool(found)


def _save(name: str, out: Path, content: bytes, what: dict, found: dict) -> None:
    if what["found"] in found:
        return
    found[what["found"]] = what["number"]
    path = out / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}{parser(name).suffix}"
    path.write_bytes(content)
    print(f"{name}: input {what['number']}: {what['found']}: {path}", flush=True)


def _work(given: argparse.Namespace) -> int:
    make, read, _ = parser(given.parser)
    make(Random(0))
    trial(read, make(Random(0)))  # imports and caches come before the limit
    limit_memory()
    counts = {"read": 0, "refused": 0, "found": 0}
    with given.worker.open("r+b") as file, mmap.mmap(file.fileno(), _ROOM) as held:
        for number in range(given.first, given.first + given.runs):
            content = make(Random(f"{given.parser} {given.seed} {number}"))
            size = min(len(content), _ROOM - 16)
            held[: 16 + size] = number.to_bytes(8, "little") + size.to_bytes(8, "little") + content[:size]
            outcome, what = trial(read, content)
            counts[outcome] += 1
            if outcome == "found":
                print(json.dumps({"found": what, "number": number, "content": content.hex()}), flush=True)
    print(json.dumps(counts), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
