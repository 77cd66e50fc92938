"""The `.sft` file (docs/file-formats.md, section 2): a list of sections, each with its own version and length."""

import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, NamedTuple

from stepforward.arithmetic.distributions import DISTRIBUTIONS
from stepforward.arithmetic.matching import Rule
from stepforward.arithmetic.penultimate import MOST_BITS as MOST_PASSED_ON
from stepforward.arithmetic.streaming import MOST_WINDOW
from stepforward.arithmetic.tail import MOST_BITS
from stepforward.errors import StepforwardError
from stepforward.files import read_file, write_atomically
from stepforward.plan.matching import MatchingPlan, PlannedSite
from stepforward.plan.model import (
    MASK_FORMS,
    OBJECTIVES,
    STATE_PARTS,
    Curve,
    Mask,
    Objective,
    Penultimate,
    StatePart,
    Tail,
    Trainable,
    TrainingPlan,
    elements_of,
    state_bytes,
)
from stepforward.settings import PERTURBATIONS, ROUNDINGS, SCHEDULES, VOTES

MAGIC, VERSION = b"SFT3", 3
HEADER = struct.Struct("<4s4I")
NAMES = (
    *("objective", "directions", "update", "schedule", "trainables", "masks", "state", "votes", "low_bits"),
    "tail",
    "matching",
    "leg",
    "guide",
    "sharpness",
    "adam",
    "penultimate",
)
"""Sections in the order in which they stand; the kind of one is its index plus one."""

MOST_SHIFT = 30
"""Of sums of products of an error of 14 fraction bits and weights of 16."""

_REMEDY = "make the plan again from the program and the settings: stepforward.plan.make.plan_training"


class _Section(NamedTuple):
    """How one kind of section, of version 1, becomes words, and words a plan's fields."""

    write: Callable[[Any], Iterable[int]]
    read: Callable[[Sequence[int]], dict[str, Any]]


def _objective(plan: TrainingPlan) -> list[int]:
    objective = plan.objective
    return [OBJECTIVES.index(objective.kind) + 1, 0, objective.mult, objective.shift]


def _read_objective(words: Sequence[int]) -> dict[str, Any]:
    kind, output, mult, shift = words
    _check(output == 0 and mult <= 65535 and shift <= 47)
    return {"objective": Objective(_named(OBJECTIVES, kind - 1), mult, shift)}


def _directions(plan: TrainingPlan) -> list[int]:
    return [
        *(plan.seed & 0xFFFFFFFF, plan.seed >> 32, plan.directions),
        *(DISTRIBUTIONS.index(plan.distribution), PERTURBATIONS.index(plan.perturbation)),
        *(*plan.z_rescale, int(plan.share_batch)),
    ]


def _read_directions(words: Sequence[int]) -> dict[str, Any]:
    low, high, directions, distribution, perturbation, mult, shift, share = words
    _check(1 <= directions <= 255 and mult <= 65535 and shift <= 47 and share <= 1)
    return {
        "seed": low | high << 32,
        "directions": directions,
        "distribution": _named(DISTRIBUTIONS, distribution),
        "perturbation": _named(PERTURBATIONS, perturbation),
        "z_rescale": (mult, shift),
        "share_batch": bool(share),
    }


def _update(plan: TrainingPlan) -> list[int]:
    return [ROUNDINGS.index(plan.rounding), plan.momentum, plan.momentum_bits]


def _read_update(words: Sequence[int]) -> dict[str, Any]:
    rounding, momentum, bits = words
    _check(momentum <= 32768 and bits <= 8 and (momentum > 0 or bits == 0))
    return {"rounding": _named(ROUNDINGS, rounding), "momentum": momentum, "momentum_bits": bits}


def _schedule(plan: TrainingPlan) -> list[int]:
    return [SCHEDULES.index(plan.schedule), plan.steps, plan.warmup]


def _read_schedule(words: Sequence[int]) -> dict[str, Any]:
    schedule, steps, warmup = words
    _check(steps >= 1)
    return {"schedule": _named(SCHEDULES, schedule), "steps": steps, "warmup": warmup}


def _trainables(plan: TrainingPlan) -> list[int]:
    entries: list[tuple[int, ...]] = []
    scalers: list[tuple[int, ...]] = []
    for t in plan.trainable:
        entries.append((t.tensor, len(scalers), len(t.perturb_mult), t.first_element))
        scalers += zip(t.perturb_mult, t.perturb_shift, t.update_mult, t.update_shift, strict=True)
    rows = [value for row in (*entries, *scalers) for value in row]
    return [plan.first_op, len(entries), len(scalers), plan.elements, *rows]


def _read_trainables(words: Sequence[int]) -> dict[str, Any]:
    first_op, count, scaler_count, elements, *rest = words
    _check(count > 0 and len(rest) == 4 * (count + scaler_count))
    rows = [tuple(rest[i : i + 4]) for i in range(0, len(rest), 4)]
    entries, scalers = rows[:count], rows[count:]
    _check(sum(entry[2] for entry in entries) == scaler_count)
    trainable = []
    for tensor, first, channels, first_element in entries:
        own = scalers[first : first + channels]
        _check(len(own) == channels > 0 and all(max(row[1], row[3]) <= 47 for row in own))
        probes, probe_shifts, moves, move_shifts = zip(*own, strict=True)
        trainable.append(Trainable(tensor, first_element, probes, probe_shifts, moves, move_shifts))
    return {"first_op": first_op, "trainable": tuple(trainable), "elements": elements}


def _masks(plan: TrainingPlan) -> list[int]:
    records: list[int] = []
    words: list[int] = []
    for index, entry in enumerate(plan.voted):
        mask = entry.mask or Mask("random", ())
        records += [index, MASK_FORMS.index(mask.form) + 1, len(words), len(mask.words)]
        words += mask.words
    return [len(plan.voted), *records, *words]


def _read_masks(words: Sequence[int]) -> dict[str, Any]:
    count, *rest = words
    _check(len(rest) >= 4 * count)
    records, held, masks, at = rest[: 4 * count], rest[4 * count :], [], 0
    for i in range(count):
        index, form, first, size = records[4 * i : 4 * i + 4]
        _check(index == i and first == at and size <= len(held) - at)
        masks.append(Mask(_named(MASK_FORMS, form - 1), tuple(held[at : at + size])))
        at += size
    _check(at == len(held))
    return {"masks": masks}


def _masks_fit(plan: TrainingPlan) -> bool:
    """Whether each tensor that votes move has a mask of its form's size, or none has."""
    for index, entry in enumerate(plan.trainable):
        if (entry.mask is None) != (plan.trainable[0].mask is None or index >= len(plan.voted)):
            return False
        if entry.mask is None:
            continue
        words, elements = entry.mask.words, elements_of(plan, index)
        fits = {
            "random": len(words) == 1 and 1 <= words[0] <= 65535,
            "least": len(words) == len(entry.perturb_mult) and max(words) <= 2**31,
            "bits": 0 < len(words) == -(-elements // 32) and words[-1] >> (elements - 1) % 32 <= 1,
        }
        if not fits[entry.mask.form]:
            return False
    return True


def _state(plan: TrainingPlan | MatchingPlan) -> list[int]:
    parts = [(STATE_PARTS[part.kind], part.first, part.bytes) for part in plan.state]
    return [plan.state_bytes, len(parts), *(value for part in parts for value in part)]


def _read_state(words: Sequence[int]) -> dict[str, Any]:
    size, count, *rest = words
    _check(len(rest) == 3 * count)
    names = {number: name for name, number in STATE_PARTS.items()}
    _check(set(rest[::3]) <= names.keys())
    parts = tuple(StatePart(names[rest[i]], *rest[i + 1 : i + 3]) for i in range(0, len(rest), 3))
    _check(state_bytes(parts) == size)
    return {"state": parts}


def _votes(plan: TrainingPlan) -> list[int]:
    return [VOTES.index(plan.votes), *(astuple(plan.curve) if plan.curve else ())]


def _read_votes(words: Sequence[int]) -> dict[str, Any]:
    kind, *curve = words
    _check(kind > 0)
    found: dict[str, Any] = {"votes": _named(VOTES, kind)}
    if found["votes"] == "curved":
        mult, shift, classes = curve
        _check(mult <= 65535 and shift <= 47)
        return found | {"curve": Curve(mult, shift, classes)}
    _check(not curve)
    return found


def _low_bits(plan: TrainingPlan) -> list[int]:
    return [plan.accumulate, *(entry.fraction_bits for entry in plan.trainable)]


def _read_low_bits(words: Sequence[int]) -> dict[str, Any]:
    accumulate, *bits = words
    _check(set(bits) <= {0, 2, 4, 8} and (accumulate == 1 if any(bits) else 1 < accumulate <= 255))
    return {"accumulate": accumulate, "fraction_bits": tuple(bits)}


def _tail(plan: TrainingPlan) -> list[int]:
    tail = plan.tail
    return [tail.op, tail.count, tail.bits, tail.inputs] if tail else []


def _read_tail(words: Sequence[int]) -> dict[str, Any]:
    op, count, bits, inputs = words
    _check(1 <= count <= 2 and bits <= MOST_BITS)
    return {"tail": Tail(op, count, bits, inputs)}


def _penultimate(plan: TrainingPlan) -> list[int]:
    before = plan.tail and plan.tail.before
    return [before.op, before.count, before.bits, before.shift] if before else []


def _read_penultimate(words: Sequence[int]) -> dict[str, Any]:
    op, count, bits, shift = words
    _check(1 <= count <= 2 and 1 <= bits <= MOST_PASSED_ON and shift <= MOST_SHIFT)
    return {"before": Penultimate(op, count, bits, shift)}


def _leg(plan: TrainingPlan) -> list[int]:
    return [plan.first_step]


def _read_leg(words: Sequence[int]) -> dict[str, Any]:
    (first,) = words
    _check(first > 0)
    return {"first_step": first}


def _matching(plan: MatchingPlan) -> list[int]:
    words = [plan.window, *plan.rule, len(plan.sites)]
    for site in plan.sites:
        means = (value & 0xFFFFFFFF for value in site.mean)
        words += [site.op, len(site.mean), *site.distances, *means, *site.deviation]
    return words


def _read_matching(words: Sequence[int]) -> dict[str, Any]:
    window, prior, slight, plain, caution, count, *rest = words
    _check(0 < window <= MOST_WINDOW and 0 < prior <= MOST_WINDOW and caution <= MOST_WINDOW)
    _check(slight < plain < 2**16 and count > 0)
    sites: list[PlannedSite] = []
    for _ in range(count):
        op, channels, by_mean, by_deviation = rest[:4]
        numbers, rest = rest[4 : 4 + 2 * channels], rest[4 + 2 * channels :]
        mean = tuple(value - (value >> 31 << 32) for value in numbers[:channels])
        deviation = tuple(numbers[channels:])
        _check(channels > 0 and len(numbers) == 2 * channels and max(deviation) < 2**31)
        _check(0 < by_mean < 2**31 and 0 < by_deviation < 2**31 and (not sites or sites[-1].op < op))
        sites.append(PlannedSite(op, (by_mean, by_deviation), mean, deviation))
    _check(not rest)
    return {"sites": tuple(sites), "window": window, "rule": Rule(prior, slight, plain, caution)}


def _guide(plan: TrainingPlan) -> list[int]:
    return list(plan.guide or ())


def _read_guide(words: Sequence[int]) -> dict[str, Any]:
    guide, drawn = words
    _check(1 <= guide <= 32768 and 1 <= drawn <= 32768)
    return {"guide": (guide, drawn)}


def _sharpness(plan: TrainingPlan) -> list[int]:
    return [plan.sharpness]


def _read_sharpness(words: Sequence[int]) -> dict[str, Any]:
    (amount,) = words
    _check(1 <= amount <= 127)
    return {"sharpness": amount}


def _adam(plan: TrainingPlan) -> list[int]:
    return [plan.decay]


def _read_adam(words: Sequence[int]) -> dict[str, Any]:
    (decay,) = words
    _check(1 <= decay <= 16)
    return {"decay": decay}


SECTIONS = {
    "objective": _Section(_objective, _read_objective),
    "directions": _Section(_directions, _read_directions),
    "update": _Section(_update, _read_update),
    "schedule": _Section(_schedule, _read_schedule),
    "trainables": _Section(_trainables, _read_trainables),
    "masks": _Section(_masks, _read_masks),
    "state": _Section(_state, _read_state),
    "votes": _Section(_votes, _read_votes),
    "low_bits": _Section(_low_bits, _read_low_bits),
    "tail": _Section(_tail, _read_tail),
    "matching": _Section(_matching, _read_matching),
    "leg": _Section(_leg, _read_leg),
    "guide": _Section(_guide, _read_guide),
    "sharpness": _Section(_sharpness, _read_sharpness),
    "adam": _Section(_adam, _read_adam),
    "penultimate": _Section(_penultimate, _read_penultimate),
}

OPTIONAL = {
    "masks": lambda plan: plan.trainable[0].mask is not None,
    "votes": lambda plan: plan.votes != "sign",
    "low_bits": lambda plan: plan.accumulate > 1 or any(entry.fraction_bits for entry in plan.trainable),
    "tail": lambda plan: plan.tail is not None,
    "matching": lambda plan: False,
    "leg": lambda plan: plan.first_step > 0,
    "guide": lambda plan: plan.guide is not None,
    "sharpness": lambda plan: plan.sharpness > 0,
    "adam": lambda plan: plan.decay > 0,
    "penultimate": lambda plan: plan.tail is not None and plan.tail.before is not None,
}
"""Sections that only some plans that train have, and which."""

MATCHING = ("state", "matching")
"""Those of a plan that matches, which moves no weights."""


def to_bytes(plan: TrainingPlan | MatchingPlan) -> bytes:
    """The plan as a `.sft` file."""
    matches = isinstance(plan, MatchingPlan)
    sections = {
        name: made
        for name, made in SECTIONS.items()
        if (name in MATCHING if matches else OPTIONAL.get(name, bool)(plan))
    }
    body = struct.pack("<I", len(sections))
    for name, section in sections.items():
        words = list(section.write(plan))
        body += struct.pack(f"<{3 + len(words)}I", NAMES.index(name) + 1, 1, 4 * len(words), *words)
    return struct.pack("<4s3I", MAGIC, VERSION, 16 + len(body), zlib.crc32(body)) + body


def from_bytes(content: bytes, source: str = "plan") -> TrainingPlan | MatchingPlan:
    """Read a `.sft` file. Whether it fits a program the core says, which opens both.

    Raises:
        StepforwardError: not a plan, another version, truncated, changed since it was written, hostile, or with a
            section that this release does not know.
    """
    if len(content) < HEADER.size or content[:3] != MAGIC[:3]:
        raise _refused(source, "is not a training plan (.sft)")
    magic, version, size, check, count = HEADER.unpack_from(content)
    if (magic, version) != (MAGIC, VERSION):
        raise _refused(source, f"has format version {version}; this release reads version {VERSION}")
    if size != len(content):
        raise _refused(source, f"is truncated or followed by more: {len(content)} bytes of {size}")
    if zlib.crc32(content[16:]) != check:
        raise _refused(source, "is damaged: the checksum does not match")
    try:
        return _plan(dict(_sections(content, count, source)))
    except ValueError as error:
        raise _refused(source, "is damaged: its numbers contradict each other") from error


def _sections(content: bytes, count: int, source: str) -> Iterable[tuple[str, dict[str, Any]]]:
    at, last = HEADER.size, 0
    for _ in range(count):
        _check(at + 12 <= len(content))
        kind, version, size = struct.unpack_from("<3I", content, at)
        at += 12
        _check(kind > last and size % 4 == 0 and size <= len(content) - at)
        name = NAMES[kind - 1] if kind <= len(NAMES) else "of a later release"
        if name not in SECTIONS or version != 1:
            raise _refused(
                source, f"has section {kind} ({name}), version {version}, which this release cannot read"
            )
        yield name, SECTIONS[name].read(struct.unpack_from(f"<{size // 4}I", content, at))
        at, last = at + size, kind
    _check(at == len(content))


def _plan(sections: dict[str, dict[str, Any]]) -> TrainingPlan | MatchingPlan:
    if "matching" in sections:
        _check(sections.keys() == set(MATCHING))
        matching = MatchingPlan(**sections["matching"])
        _check(matching.state == sections["state"]["state"])
        return matching
    _check(sections.keys() | OPTIONAL.keys() == SECTIONS.keys())
    fields = {name: value for section in sections.values() for name, value in section.items()}
    state, fractions = fields.pop("state"), fields.pop("fraction_bits", None)
    if fractions is not None:
        given = zip(fields["trainable"], fractions, strict=True)
        fields["trainable"] = tuple(replace(entry, fraction_bits=bits) for entry, bits in given)
    masks = fields.pop("masks", None)
    if masks is not None:
        _check(0 < len(masks) <= len(fields["trainable"]))
        moved = [replace(entry, mask=mask) for entry, mask in zip(fields["trainable"], masks, strict=False)]
        fields["trainable"] = (*moved, *fields["trainable"][len(moved) :])
    before = fields.pop("before", None)
    if before is not None:
        _check("tail" in fields)
        fields["tail"] = replace(fields["tail"], before=before)
    plan = TrainingPlan(**fields)
    _check(plan.first_step < plan.steps and _masks_fit(plan))
    _check(plan.tail is None or plan.tail.tensors <= len(plan.trainable))
    _check(
        plan.state == state
        and (
            plan.accumulate == 1
            or (plan.momentum == plan.decay == 0 and plan.tail is None and plan.guide is None)
        )
    )
    return plan


def _check(fits: bool) -> None:
    if not fits:
        raise ValueError


def _named(names: Sequence[str], index: int) -> str:
    _check(0 <= index < len(names))
    return names[index]


def _refused(source: str, what: str) -> StepforwardError:
    return StepforwardError(f"{source} {what}", _REMEDY)


def save(plan: TrainingPlan | MatchingPlan, path: str | Path) -> None:
    """Write `plan` to `path` atomically."""
    write_atomically(path, to_bytes(plan))


def load(path: str | Path) -> TrainingPlan | MatchingPlan:
    """Read a plan from `path`."""
    return from_bytes(read_file(path), str(path))
