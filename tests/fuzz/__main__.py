"""Fuzz one reader: the worker takes inputs one after another, and this process starts another where one dies."""

import argparse
import hashlib
import json
import mmap
import struct
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from fuzz.parsers import MODULES, parser
from fuzz.trial import limit_memory, trial

CORPUS = Path(__file__).parent / "corpus"
_ROOM = 2**20
_HEAD = struct.Struct("<4Q")  # shared with a worker: number of the input, inputs refused and read, size


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
    read, refused, found, first, started = 0, 0, {}, given.first, time.monotonic()
    last = given.first + given.runs
    while first < last:
        current.write_bytes(bytes(_ROOM))
        command = [sys.executable, "-m", "fuzz", "--parser", name, "--seed", str(given.seed)]
        command += ["--first", str(first), "--runs", str(last - first)]
        command += ["--out", str(given.out), "--worker", str(current)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            for line in worker.stdout:
                answer = json.loads(line)
                _save(name, given.out, bytes.fromhex(answer["content"]), answer, found)
        held = current.read_bytes()
        at, done, accepted, size = _HEAD.unpack_from(held)
        read, refused = read + accepted, refused + done
        if worker.returncode == 0:
            break
        if worker.returncode > 0:
            raise SystemExit(f"{name}: the fuzzer itself failed at input {at} of seed {given.seed}")
        what = {"found": f"the process died of signal {-worker.returncode}", "number": at}
        _save(name, given.out, held[_HEAD.size : _HEAD.size + size], what, found)
        first = at + 1
    current.unlink()
    seconds, runs = time.monotonic() - started, last - given.first
    print(
        f"{name}: {runs:,} inputs of seed {given.seed}, {read:,} read, {refused:,} refused, "
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
    read_refused = {"refused": 0, "read": 0, "found": 0}
    with given.worker.open("r+b") as file, mmap.mmap(file.fileno(), _ROOM) as held:
        for number in range(given.first, given.first + given.runs):
            counts = read_refused["refused"], read_refused["read"]
            _HEAD.pack_into(held, 0, number, *counts, 0)
            content = make(Random(f"{given.parser} {given.seed} {number}"))[: _ROOM - _HEAD.size]
            _HEAD.pack_into(held, 0, number, *counts, len(content))
            held[_HEAD.size : _HEAD.size + len(content)] = content
            outcome, what = trial(read, content)
            read_refused[outcome] += 1
            if outcome == "found":
                print(json.dumps({"found": what, "number": number, "content": content.hex()}), flush=True)
        _HEAD.pack_into(held, 0, number, read_refused["refused"], read_refused["read"], 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
