"""The journal: base model, settings and one sign per direction (docs/file-formats.md, section 3). It is the checkpoint.

A run appends; a killed run leaves at most one torn record at the end, which resuming drops and computes again.
"""

import json
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward import __version__
from stepforward.arithmetic.saliency import MOST_STEPS
from stepforward.arithmetic.version import ARITHMETIC
from stepforward.arithmetic.votes import FARTHEST, MOST
from stepforward.errors import StepforwardError
from stepforward.files import lock, read_file, write_atomically
from stepforward.strict_json import parse_json

MAGIC, VERSION = b"SFJ2", 2
SIGNS, TERNARY, RAW, EVALUATION, END, GRADED, MATCHING, PARAMETERS, LEG, PROBES, RANGES, MIXED = range(1, 13)
BIASES = 13
OF_STEPS = (SIGNS, TERNARY, RAW, GRADED)
KINDS = (*OF_STEPS, EVALUATION, END, MATCHING, PARAMETERS, LEG, PROBES, RANGES, MIXED, BIASES)
STEPS_PER_RECORD = 64
MOST_SCALE = FARTHEST**2 + 1
REASONS = ("all steps done", "early stop", "diverged")
WIDTHS = {SIGNS: 1, TERNARY: 2, GRADED: 6, RAW: 8}
"""Bits of a vote in each record of steps."""
_EVALUATION, _END, _LENGTH = struct.Struct("<Iq"), struct.Struct("<IB"), struct.Struct("<I")
_PARAMETERS = struct.Struct("<II")
_SCALE, _LEG = struct.Struct("<Q"), struct.Struct("<IId")
_MATCHING = struct.Struct("<II")
_FINER = struct.Struct("<IB")


@dataclass(frozen=True)
class Evaluation:
    """Validation after `step` steps."""

    step: int
    correct: int
    loss: int


@dataclass(frozen=True)
class Parameters:
    """The tail's parameters as they were after `step` steps: moves that no vote makes."""

    step: int
    content: bytes


class Leg(NamedTuple):
    """A stretch of a run with a schedule of its own.

    Attributes:
        first: steps before it.
        back: it begins with the weights after so many of them.
        steps: the run's at its end.
        lr: its peak learning rate.
    """

    first: int
    back: int
    steps: int
    lr: float


@dataclass(frozen=True, eq=False)
class MatchedSite:
    """The constants that one operator got: what its multipliers are times 2^14 of the base's, and its biases; and its
    weights of at most 8 bits, in stored order, where they are mixed."""

    op: int
    ratio: NDArray[np.int64]
    bias: NDArray[np.int64]
    weights: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Journal:
    """What a journal file says.

    Attributes:
        settings: the header's settings; whether they are those of a run, `run.recorded` knows.
        directions: m, 1 to 255.
        votes: s8, shape (steps, m).
        evaluations: in order.
        legs: after the first, in order.
        kept: the step whose weights were kept, None if the run did not end.
        reason: why it ended, an entry of `REASONS`.
        good_bytes: length of the file up to the last whole record.
        torn_bytes: bytes of a record cut short after it.
        check: running checksum at `good_bytes`.
        parameters: in order.
        begun: `good_bytes` and `check` where the first step follows.
        scales: of graded votes, what they are measured by after a number of steps, wherever a record ends.
        matching: constants that the base gets before the first step, in the order of the operators.
        probes: votes of the probes that a saliency mask is made of.
        ranges: tensor -> how often its steps are halved before the first step, in the program of the base.
        biases: that the steps begin with, where they are not the base's.
    """

    settings: dict
    directions: int
    votes: NDArray[np.int8]
    evaluations: tuple[Evaluation, ...]
    kept: int | None
    reason: str | None
    good_bytes: int
    torn_bytes: int
    check: int
    parameters: tuple[Parameters, ...] = ()
    begun: tuple[int, int] = (0, 0)
    scales: Mapping[int, int] = field(default_factory=dict)
    matching: tuple[MatchedSite, ...] = ()
    legs: tuple[Leg, ...] = ()
    probes: tuple[int, ...] = ()
    ranges: Mapping[int, int] = field(default_factory=dict)
    biases: bytes | None = None

    @property
    def start(self) -> bytes | None:
        """The last layer that the steps begin with, where it is not the base's."""
        first = self.parameters[0] if self.parameters else None
        return first.content if first is not None and not first.step else None


def written_by() -> dict:
    """The settings that say who wrote a journal: the version of the arithmetic, and of the package."""
    return {"arithmetic": ARITHMETIC, "package": __version__}


def settings_text(settings: dict) -> bytes:
    """Settings as a journal's header holds them: canonical JSON, the same bytes from every writer."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()


def header(settings: dict, directions: int) -> bytes:
    """The first bytes of a journal."""
    text = settings_text(settings)
    body = struct.pack("<4sHHI", MAGIC, VERSION, directions, len(text)) + text
    return body + struct.pack("<I", zlib.crc32(body))


def _bits(values: Sequence[int], width: int) -> bytes:
    number = sum(value << (width * position) for position, value in enumerate(values))
    return number.to_bytes((len(values) * width + 7) // 8, "little")


def votes_record(steps: Sequence[Sequence[int]], scale: int = 0) -> tuple[int, int, bytes]:
    """(type, count, payload) of up to 255 steps' votes, in the smallest form that holds them.

    Args:
        steps: the votes of each.
        scale: of graded votes, after the last of them; 0 for others.
    """
    flat = [vote for step in steps for vote in step]
    after = b""
    if scale:
        kind, after = GRADED, _SCALE.pack(scale)
    elif any(abs(vote) > 1 for vote in flat):
        kind = RAW
    else:
        kind = TERNARY if 0 in flat else SIGNS
    width = WIDTHS[kind]
    codes = [int(vote < 0) if kind == SIGNS else vote & ((1 << width) - 1) for vote in flat]
    return kind, len(steps), _bits(codes, width) + after


def record(kind: int, count: int, payload: bytes, check: int) -> tuple[bytes, int]:
    """The bytes of a record that follows a checksum, and its own."""
    body = bytes([kind, count]) + payload
    check = zlib.crc32(body, check)
    return body + struct.pack("<I", check), check


def parameters_record(parameters: Parameters, check: int) -> tuple[bytes, int]:
    """The same of a tail's parameters."""
    head = _PARAMETERS.pack(parameters.step, len(parameters.content))
    return record(PARAMETERS, 0, head + parameters.content, check)


def before_steps(journal: Journal) -> Journal:
    """The journal up to its first step."""
    return replace(
        journal,
        votes=journal.votes[:0],
        evaluations=tuple(e for e in journal.evaluations if not e.step),
        parameters=tuple(p for p in journal.parameters if not p.step),
        legs=(),
        scales={},
        kept=None,
        reason=None,
        good_bytes=journal.begun[0],
        check=journal.begun[1],
    )


def _payload_size(kind: int, count: int, directions: int, after: bytes) -> int:
    """Bytes of a record's payload; `after` begins with them, and may be cut short."""
    n = count * directions
    if kind in WIDTHS:
        return (n * WIDTHS[kind] + 7) // 8 + (_SCALE.size if kind == GRADED else 0)
    if kind in (PARAMETERS, MIXED):
        return _PARAMETERS.size + (_PARAMETERS.unpack_from(after)[1] if len(after) >= _PARAMETERS.size else 0)
    if kind in (PROBES, BIASES):
        return _LENGTH.size + (_LENGTH.unpack_from(after)[0] if len(after) >= _LENGTH.size else 0)
    if kind == RANGES:
        number = _LENGTH.unpack_from(after)[0] if len(after) >= _LENGTH.size else 0
        return _LENGTH.size + number * _FINER.size
    if kind == MATCHING:
        return _MATCHING.size + 6 * (_MATCHING.unpack_from(after)[1] if len(after) >= _MATCHING.size else 0)
    return {EVALUATION: _EVALUATION, END: _END, LEG: _LEG}[kind].size


def _matched_site(payload: bytes) -> MatchedSite:
    op, channels = _MATCHING.unpack_from(payload)
    ratio = np.frombuffer(payload, "<u2", channels, _MATCHING.size).astype(np.int64)
    bias = np.frombuffer(payload, "<i4", channels, _MATCHING.size + 2 * channels).astype(np.int64)
    return MatchedSite(op, ratio, bias)


def _votes(kind: int, count: int, payload: bytes, directions: int) -> NDArray[np.int8]:
    """The votes of one record, shape (count, directions).

    Raises:
        ValueError: a code or a bit that no writer gives.
    """
    n, width = count * directions, WIDTHS[kind]
    bits = np.unpackbits(np.frombuffer(payload, np.uint8), bitorder="little")
    if bits[n * width :].any():
        raise ValueError("a bit beyond the votes is set")
    places = 1 << np.arange(width)
    places[-1] *= -1
    flat = bits[: n * width].reshape(n, width) @ places
    if kind == SIGNS:
        flat = 1 + 2 * flat
    if (np.abs(flat) > {TERNARY: 1, GRADED: MOST}.get(kind, 128)).any():
        raise ValueError("a vote is more than any step gives")
    return flat.reshape(count, directions).astype(np.int8)


def parse(content: bytes, source: str = "journal") -> Journal:
    """Read a journal's bytes.

    Raises:
        StepforwardError: not a journal, another version, damaged (other than a record cut short at the end).
    """
    settings, directions, position, check = _read_header(content, source)
    votes, evaluations, parameters, kept, reason = [], [], [], None, None
    legs: list[Leg] = []
    scales: dict[int, int] = {}
    matching: list[MatchedSite] = []
    probes: tuple[int, ...] = ()
    ranges: dict[int, int] = {}
    biases: bytes | None = None
    steps, begun = 0, (position, check)
    while position + 2 <= len(content) and kept is None:
        kind, count = content[position], content[position + 1]
        if kind not in KINDS:
            raise _broken(source, position)
        end = position + 2 + _payload_size(kind, count, directions, content[position + 2 : position + 10])
        if end + 4 > len(content):
            break
        next_check = zlib.crc32(content[position:end], check)
        if struct.unpack_from("<I", content, end)[0] != next_check:
            raise _broken(source, position)
        payload = content[position + 2 : end]
        if (count == 0) == (kind in OF_STEPS):
            raise _no_run(source, f"the record at byte {position} counts {count} steps")
        if kind == EVALUATION:
            evaluations.append(Evaluation(steps, *_EVALUATION.unpack(payload)))
        elif kind == PARAMETERS:
            parameters.append(_parameters(steps, payload, source, position))
        elif kind == PROBES:
            if steps or evaluations or probes:
                raise _no_run(source, f"the record at byte {position} has probes out of turn")
            probes = _probes(payload, directions, source, position)
        elif kind == RANGES:
            if steps or evaluations or ranges:
                raise _no_run(source, f"the record at byte {position} has finer steps out of turn")
            ranges = _ranges(payload, source, position)
        elif kind == BIASES:
            if steps or evaluations or biases is not None:
                raise _no_run(source, f"the record at byte {position} has biases out of turn")
            biases = payload[_LENGTH.size :]
        elif kind == LEG:
            legs.append(_leg(steps, legs, payload, source, position))
        elif kind == END:
            kept, code = _END.unpack(payload)
            if kept > steps or code >= len(REASONS):
                raise _no_run(
                    source, f"the record at byte {position} keeps step {kept} of {steps}, reason {code}"
                )
            reason = REASONS[code]
        elif kind == MATCHING:
            matching.append(_matched_site(payload))
            if steps or (len(matching) > 1 and matching[-2].op >= matching[-1].op):
                raise _no_run(source, f"the record at byte {position} matches an operator out of turn")
        elif kind == MIXED:
            op, _ = _PARAMETERS.unpack_from(payload)
            if steps or not matching or matching[-1].op != op or matching[-1].weights is not None:
                raise _no_run(source, f"the record at byte {position} has weights of an operator out of turn")
            weights = np.frombuffer(payload, "<i1", -1, _PARAMETERS.size).astype(np.int64)
            matching[-1] = replace(matching[-1], weights=weights)
        else:
            held = payload[: -_SCALE.size] if kind == GRADED else payload
            try:
                votes.append(_votes(kind, count, held, directions))
            except ValueError as error:
                raise _no_run(source, f"in the record at byte {position} {error}") from error
            steps += count
            if kind == GRADED:
                scales[steps] = _scale(payload, source, position)
        position, check = end + 4, next_check
        if not steps:
            begun = position, check
    torn = len(content) - position
    if kept is not None and torn:
        raise _broken(source, position)
    together = np.concatenate(votes) if votes else np.zeros((0, directions), np.int8)
    return Journal(
        *(settings, directions, together, tuple(evaluations), kept, reason, position, torn, check),
        parameters=tuple(parameters),
        begun=begun,
        legs=tuple(legs),
        scales=scales,
        matching=tuple(matching),
        probes=probes,
        ranges=ranges,
        biases=biases,
    )


def _ranges(payload: bytes, source: str, position: int) -> dict[int, int]:
    """Halvings by tensor, in rising order."""
    pairs = list(_FINER.iter_unpack(payload[_LENGTH.size :]))
    tensors = [tensor for tensor, _ in pairs]
    if tensors != sorted(set(tensors)) or not pairs or not all(0 < times < 8 for _, times in pairs):
        raise _no_run(source, f"the record at byte {position} has finer steps that no samples give")
    return dict(pairs)


def _probes(payload: bytes, directions: int, source: str, position: int) -> tuple[int, ...]:
    """The votes of whole steps of probes."""
    votes = struct.unpack(f"{len(payload) - 4}b", payload[4:])
    steps, rest = divmod(len(votes), directions)
    if rest or not 0 < steps <= MOST_STEPS or max(map(abs, votes)) > MOST:
        raise _no_run(source, f"the record at byte {position} has votes that no probes give")
    return votes


def _scale(payload: bytes, source: str, position: int) -> int:
    """What graded votes are measured by, at the end of their record."""
    (scale,) = _SCALE.unpack(payload[-_SCALE.size :])
    if not 0 < scale < MOST_SCALE:
        raise _no_run(source, f"the record at byte {position} has a scale of votes that no step gives")
    return scale


def _parameters(steps: int, payload: bytes, source: str, position: int) -> Parameters:
    step, _ = _PARAMETERS.unpack_from(payload)
    if step > steps or (steps and not step):
        raise _no_run(
            source, f"the record at byte {position} has parameters of step {step} after step {steps}"
        )
    return Parameters(step, payload[_PARAMETERS.size :])


def _leg(steps: int, before: Sequence[Leg], payload: bytes, source: str, position: int) -> Leg:
    leg = Leg(steps, *_LEG.unpack(payload))
    behind = before[-1].first if before else 0
    if not (behind < leg.first < leg.steps and leg.back <= leg.first and 0 < leg.lr < 100):
        raise _no_run(
            source, f"the record at byte {position} returns from step {steps} to {leg.back} for {leg}"
        )
    return leg


def _read_header(content: bytes, source: str) -> tuple[dict, int, int, int]:
    """(settings, directions, bytes, checksum) of a journal's header."""
    if len(content) < 12 or content[:3] != MAGIC[:3]:
        raise StepforwardError(
            f"{source} is not a stepforward journal", "give the file `journal` of a run folder"
        )
    _, version, directions, size = struct.unpack_from("<4sHHI", content)
    if version != VERSION or content[:4] != MAGIC:
        raise StepforwardError(
            f"{source} has format version {version}", f"this release reads version {VERSION}"
        )
    start = 12 + size
    damaged = StepforwardError(
        f"{source} is damaged: its header does not match its checksum",
        "restore it from a copy, or start a new run",
    )
    if len(content) < start + 4 or not 1 <= directions <= 255:
        raise damaged
    check = zlib.crc32(content[:start])
    if struct.unpack_from("<I", content, start)[0] != check:
        raise damaged
    try:
        settings = parse_json(content[12:start])
    except ValueError as error:
        raise _no_run(source, f"its settings cannot be read ({error})") from error
    if not isinstance(settings, dict):
        raise _no_run(source, "its settings are not a JSON object")
    return settings, directions, start + 4, check


def _broken(source: str, position: int) -> StepforwardError:
    return StepforwardError(
        f"{source} is damaged at byte {position}: the record does not match its checksum",
        "restore the journal from a copy, or start a new run; nothing was changed",
    )


def _no_run(source: str, why: str) -> StepforwardError:
    """Right checksums around something that no run writes."""
    return StepforwardError(
        f"{source} is damaged: {why}", "restore it from a copy, or start a new run; nothing was changed"
    )


def read(path: str | Path) -> Journal:
    """Read a journal file."""
    return parse(read_file(path), str(path))


class JournalWriter:
    """Appends to a journal; every record is synced to disk before the next step.

    Raises:
        StepforwardError: the file cannot be written, or another process is writing it.
    """

    def __init__(self, path: Path, directions: int, check: int, steps: int):
        self.path, self.directions, self.check = path, directions, check
        self.steps = steps
        self.pending: list[tuple[tuple[int, ...], int]] = []
        try:
            self.file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise StepforwardError(
                f"cannot write {path}: {error.strerror}", "check its permissions"
            ) from error
        self._lock()

    @classmethod
    def create(cls, path: str | Path, settings: dict, directions: int) -> "JournalWriter":
        """Start a new journal."""
        path, first = Path(path), header(settings, directions)
        if path.exists():
            raise StepforwardError(
                f"{path} exists: another process has started a run there", "choose another --out"
            )
        write_atomically(path, first)  # a journal without its whole header could not be resumed
        return cls(path, directions, zlib.crc32(first[:-4]), 0)

    @classmethod
    def resume(cls, path: str | Path, journal: Journal) -> "JournalWriter":
        """Continue after the last complete record of `journal`, which was read from `path`."""
        writer = cls(Path(path), journal.directions, journal.check, len(journal.votes))
        writer.file.truncate(journal.good_bytes)
        return writer

    def votes(self, votes: Sequence[int], scale: int = 0) -> None:
        """Add one step; `scale` is that of graded votes after it."""
        self.pending.append((tuple(votes), scale))
        self.steps += 1
        if len(self.pending) == STEPS_PER_RECORD:
            self.flush()

    def flush(self) -> None:
        """Write the steps that wait for a full record."""
        pending, self.pending = self.pending, []  # first: a Ctrl-C after the write must not write them twice
        if pending:
            self._record(*votes_record([votes for votes, _ in pending], pending[-1][1]))

    def evaluation(self, correct: int, loss: int) -> None:
        """Record a validation after the steps so far."""
        self.flush()
        self._record(EVALUATION, 0, _EVALUATION.pack(correct, loss))

    def parameters(self, parameters: Parameters) -> None:
        """Record the tail's parameters as they were after some of the steps so far."""
        self.flush()
        content, self.check = parameters_record(parameters, self.check)
        self._append(content)

    def matching(self, site: MatchedSite) -> None:
        """Record the constants that an operator of the base got, and its weights, before the first step."""
        first = _MATCHING.pack(site.op, len(site.ratio))
        self._record(
            MATCHING, 0, first + site.ratio.astype("<u2").tobytes() + site.bias.astype("<i4").tobytes()
        )
        if site.weights is not None:
            weights = site.weights.astype("<i1").tobytes()
            self._record(MIXED, 0, _PARAMETERS.pack(site.op, len(weights)) + weights)

    def ranges(self, halvings: Mapping[int, int]) -> None:
        """Record how often the steps of tensors are halved, before the first evaluation."""
        pairs = b"".join(_FINER.pack(*pair) for pair in sorted(halvings.items()))
        self._record(RANGES, 0, _LENGTH.pack(len(halvings)) + pairs)

    def probes(self, votes: Sequence[int]) -> None:
        """Record the votes of probes, which a saliency mask is made of, before the first evaluation."""
        self._record(PROBES, 0, _LENGTH.pack(len(votes)) + struct.pack(f"{len(votes)}b", *votes))

    def biases(self, content: bytes) -> None:
        """Record the biases that the first step begins with, before the first evaluation."""
        self._record(BIASES, 0, _LENGTH.pack(len(content)) + content)

    def leg(self, leg: Leg) -> None:
        """Record that the next step is the first of a leg."""
        self.flush()
        self._record(LEG, 0, _LEG.pack(*leg[1:]))

    def end(self, kept: int, reason: str) -> None:
        """Close the run: which step's weights were kept, and why it ended."""
        self.flush()
        self._record(END, 0, _END.pack(kept, REASONS.index(reason)))

    def close(self) -> None:
        """Close the file; steps still waiting are left to be computed again."""
        self.file.close()

    def _lock(self) -> None:
        try:
            lock(self.file.fileno())
        except BlockingIOError as error:
            self.close()
            raise StepforwardError(
                f"another process is writing {self.path}", "wait until it ends, or stop it, then resume"
            ) from error

    def _record(self, kind: int, count: int, payload: bytes) -> None:
        content, self.check = record(kind, count, payload, self.check)
        self._append(content)

    def _append(self, content: bytes) -> None:
        try:
            if self.file.write(content) != len(content):
                raise OSError(None, "the disk is full")
            os.fsync(self.file.fileno())
        except OSError as error:
            raise StepforwardError(
                f"cannot append to {self.path}: {error.strerror}",
                "free some disk space and resume with --resume; nothing recorded so far is lost",
            ) from error
