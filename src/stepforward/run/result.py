"""Everything there is to say about a run; `result.json` is written from it, and reports read it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import Any, cast

from stepforward.memory import Memory
from stepforward.run.comparison import Comparison
from stepforward.run.fidelity import Fidelity
from stepforward.run.ranges import Ranges
from stepforward.run.saliency import Saliency
from stepforward.run.search import Found
from stepforward.run.stage import Stage
from stepforward.run.training import CurveRow
from stepforward.run.tried import Tried

OPTIONAL: Mapping[str, bool] = {"optional": True}
"""Metadata of a field that `result.json` has only where it is not None."""

HIDDEN: Mapping[str, bool] = {"hidden": True}
"""Metadata of a field that no `result.json` has."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """What a run was given; `model`, `data` and `test` as people know them, "arrays" for those without a name."""

    source: str = field(metadata={"key": "model"})
    data: str | None
    test: str | None
    method: str
    bits: str
    train: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Course:
    """How a run went.

    Attributes:
        kept: the weights that are kept, in words, and `kept_step` their step; 0 is the base.
        steps: that were taken.
        stopped: why it ended.
        seconds: of training, validations included.
        forward_passes: samples sent through the network to train.
        curve: one row per validation.
    """

    kept: str
    kept_step: int
    steps: int
    stopped: str
    seconds: float
    steps_per_second: float
    forward_passes: int
    curve: tuple[CurveRow, ...]


@dataclass(frozen=True, kw_only=True)
class SampleCounts:
    """How many samples moved the weights, chose them, and measured them."""

    train: int
    validation: int
    test: int | None


class Entries(Mapping[str, Any]):
    """The fields of a dataclass by name, as plain values, in the order of `result.json`."""

    @cached_property
    def entries(self) -> dict[str, Any]:
        """Plain values by name."""
        return _entries(self)

    def __getitem__(self, name: str) -> Any:
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RunResult(Memory, Course, Comparison, Given, Entries):
    """The entries of `result.json`, as attributes and by name; nested ones are plain values by name.

    Attributes:
        host_scratch_bytes: working memory on this machine, of integer methods.
        directions: of one step; 0 for a method without.
        trainable_parameters: how many numbers moved.
        journal_bytes: 0 without a journal.
        base_sha256, weights_sha256: of the weights before and after.
        split: which of the data's samples moved the weights, and which chose them.
        settings: every setting, as the run used it.
        stepforward: the release.
        quantization: the float network against its integers, where one was given.
        first_stage: what came of matching before the first step; where the settings ask for it.
        ranges: what came of finer steps of activations; where samples use less than half of a range.
        head_start: what came of a start of the last layer; where the settings ask for it.
        bias_start: what came of a start of the biases; likewise.
        search: what was found before the run, and what it was found from; where settings stood as automatic.
        saliency: what probes before the run said of the weights; where they choose those that move.
        notes: what a person should know, in the order in which it came up.
        classes, image, preprocess, input_shape, output, fixed_inputs: what the caller said of the model, in words.
        for_good: the command that writes what was assumed into a file.
        command: that makes this run again, where it is not `stepforward adapt`.
        out: the run folder, and `next` what to try after it; of the command line.
    """

    host_scratch_bytes: int | None = field(default=None, metadata=OPTIONAL)
    directions: int
    trainable_parameters: int
    journal_bytes: int
    base_sha256: str
    weights_sha256: str
    class_names: list[str]
    samples: SampleCounts
    split: dict[str, list[int]]
    settings: dict[str, Any]
    stepforward: str
    quantization: Fidelity | None = field(default=None, metadata=OPTIONAL)
    search: Found | None = field(default=None, metadata=OPTIONAL)
    first_stage: Stage | None = field(default=None, metadata=OPTIONAL)
    ranges: Ranges | None = field(default=None, metadata=OPTIONAL)
    head_start: Tried | None = field(default=None, metadata=OPTIONAL)
    bias_start: Tried | None = field(default=None, metadata=OPTIONAL)
    saliency: Saliency | None = field(default=None, metadata=OPTIONAL)
    notes: list[str]
    classes: str | None = field(default=None, metadata=OPTIONAL)
    image: str | None = field(default=None, metadata=OPTIONAL)
    preprocess: str | None = field(default=None, metadata=OPTIONAL)
    for_good: str | None = field(default=None, metadata=OPTIONAL)
    input_shape: str | None = field(default=None, metadata=OPTIONAL)
    output: str | None = field(default=None, metadata=OPTIONAL)
    fixed_inputs: str | None = field(default=None, metadata=OPTIONAL)
    command: str | None = field(default=None, metadata=OPTIONAL)
    out: str | None = field(default=None, metadata=OPTIONAL)
    next: list[str] | None = field(default=None, metadata=OPTIONAL)

    @property
    def measured_samples(self) -> int | None:
        """How many samples it was measured on."""
        return self.samples.test if self.measured_on == "test" else self.samples.validation


def values(record: Entries) -> dict[str, Any]:
    """Every field by its name, to make another record of."""
    return {entry.name: getattr(record, entry.name) for entry in fields(cast(Any, record))}


def _entries(record: Any) -> dict[str, Any]:
    found = {}
    for entry in fields(record):
        value, told = getattr(record, entry.name), entry.metadata
        if not (told.get("hidden") or (told.get("optional") and value is None)):
            found[told.get("key", entry.name)] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _entries(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
