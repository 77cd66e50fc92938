"""A network that learns in fixed point: quantized, lowered, planned, on the C core."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stepforward.data.dataset import Dataset
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, Snapshot, logits_of
from stepforward.inputs import quantize_input
from stepforward.journal import Journal, Leg
from stepforward.lowering.lower import lower
from stepforward.lowering.weights import network_weights
from stepforward.memory import memory
from stepforward.methods.protocol import take
from stepforward.methods.table import make
from stepforward.moving.select import select
from stepforward.plan.make import for_training, training_arena, with_forms
from stepforward.plan.masks import masked
from stepforward.plan.model import TrainingPlan
from stepforward.program.master import rounded
from stepforward.program.model import Program
from stepforward.run.base import recorded_base
from stepforward.run.bias_start import start_biases
from stepforward.run.fidelity import fidelity, fidelity_notes
from stepforward.run.figures import Figures
from stepforward.run.folder import BASE
from stepforward.run.head_start import start_head, with_last_layer
from stepforward.run.learner import Samples
from stepforward.run.legs import leg_plan
from stepforward.run.notes import of_training
from stepforward.run.parameters import Stored, stored
from stepforward.run.prefix import Prefix, run_prefix
from stepforward.run.prepare import Prepared
from stepforward.run.recorded import UNSAID
from stepforward.run.saliency import Salient, seek
from stepforward.run.same_run import journal_settings
from stepforward.run.search import Found, search
from stepforward.run.started import Started
from stepforward.run.training import Run
from stepforward.scores import NATS, Score, score
from stepforward.settings import Settings
from stepforward.sources.source import Source, check_scales


@dataclass
class IntegerLearner:
    """See `run.learner.Learner`.

    Attributes:
        prepared, settings: of the run; the settings with what was measured and searched for it.
        found: by the search, where there was one.
        started: where the steps begin: with the base, or with another last layer or other biases.
        salient: which weights move, where probes have said so.
        opened: the base, in fixed point.
        program: that the steps begin with; scores are of it, at temperature 1.
        trained: the program that learns: the same, unless it has master weights.
        plan: of the training.
        prefix: what samples have gone through before the run; the engines run the rest.
        engine: runs `trained`.
        deployed: runs the program of rounded weights where it is another; else None.
        inputs: of the whole program, by part.
    """

    prepared: Prepared
    settings: Settings
    opened: Source
    program: Program
    trained: Program
    plan: TrainingPlan
    engine: CoreEngine
    prefix: Prefix
    deployed: CoreEngine | None
    inputs: dict[str, Samples]
    found: Found | None
    started: Started
    salient: Salient
    steps: int
    shares: int
    directions: int
    nats: float = NATS

    @property
    def samples(self) -> dict[str, Samples]:
        """What the engines run, by part."""
        return self.prefix.samples

    @property
    def tail(self) -> Stored | None:
        """The parameters that votes do not move, or None."""
        exact = self.plan.trainable[len(self.plan.voted) :]
        return stored(self.engine, self.plan, exact) if exact else None

    def score(self, part: str) -> Score:
        """How the present weights do on a part of the samples, at temperature 1."""
        return self._score(part, 1.0)

    def judged(self) -> Score:
        """How they do on the validation samples, by the loss that chooses among weights."""
        return self._score("validation", self.settings.judging_temperature)

    def watched(self) -> Score:
        """The same, by the loss that says whether a run diverges."""
        return self._score("validation", self.settings.watching_temperature)

    def _score(self, part: str, temperature: float) -> Score:
        x, y = self.samples[part]
        if self.deployed is None:
            return score(self.program, logits_of(self.engine, x), y, temperature)
        return score(self.program, logits_of(self._deployed(self.deployed), x), y, temperature)

    def _deployed(self, engine: CoreEngine) -> CoreEngine:
        """The engine with the present weights, or another one where they have other scales."""
        program = self._program()
        if program.ops[-1].what == engine.program.ops[-1].what:
            engine.restore(Snapshot(program.weights))
            return engine
        self.deployed = _engine(self.prefix, program, self.settings)
        return self.deployed

    def lead(self, leg: Leg) -> None:
        """Have the engine follow another leg."""
        moving = [entry.tensor for entry in self.plan.trainable]
        plan = masked(leg_plan(self.program, moving, self.settings, leg), self.salient.masks)
        self.engine.follow(self.prefix.plan(plan))

    def sha256(self) -> str:
        """Of the present weights."""
        return self._program().weights_sha256

    def header(self, every: int) -> dict:
        """Everything that decides the weights, as a journal's header records it."""
        return journal_settings(self.settings, self.program, self.plan, self.inputs, every)

    def save_base(self, folder: Path) -> None:
        """Write the quantized base where a float model was given."""
        if self.prepared.opened.is_float:
            self.opened.save(folder / BASE)

    def figures(self, run: Run) -> Figures:
        """What only this kind of network can say of itself."""
        given, bits, train = self.prepared.opened, self.opened.bits, self.prepared.train
        found = [note for note in self.opened.notes if note not in given.notes]
        found += of_training(self.trained, self.plan, run)
        quantization = fidelity(given, self.started.base, train.x, train.y) if given.is_float else None
        if quantization:
            found += fidelity_notes(quantization, bits)
        return Figures(
            bits=bits,
            memory=memory(self.trained, self.plan),
            host_scratch_bytes=self.prefix.bytes
            + self.engine.scratch_bytes
            + (self.deployed.scratch_bytes if self.deployed else 0),
            trainable_parameters=self.plan.elements,
            notes=found,
            quantization=quantization,
            found=self.found,
        )

    def adapted(self) -> tuple[Source, Program]:
        """The model in fixed point and the program with the present weights."""
        program = self._program()
        model = self.opened.with_weights(network_weights(program))
        return with_last_layer(model, program, self.started.base), program

    def _program(self) -> Program:
        return rounded(self.program, self.trained, self.engine.snapshot().weights, self.settings.room)


def integer_learner(
    prepared: Prepared, settings: Settings, folder: Path | None, recorded: Journal | None
) -> IntegerLearner:
    """Quantize what is not yet, lower, plan, and make the engine.

    Args:
        prepared: model and data.
        settings: of the run.
        folder: of the run, or None.
        recorded: the journal in it, when the run is resumed.

    Raises:
        StepforwardError: a setting does not fit the model, or the folder belongs to another one.
    """
    opened = prepared.in_fixed_point(settings)
    if recorded and folder and (folder / BASE).exists():
        opened = recorded_base(opened, folder / BASE)
    settings = replace(settings, runtime=opened.runs_as)
    if settings.head_start in ("means", "ridge"):
        check_scales(opened, "--head-start")
    program = lower(opened.network())
    samples = {name: _integers(program, part) for name, part in prepared.parts.items()}
    if settings.minutes is not None and settings.bias_start == "auto":
        settings = replace(settings, bias_start="none")  # the steps leave no time for it
    settings = settings.with_steps(_steps(settings, program, samples["train"], recorded))
    trainable = select(program, settings.train)
    settings = with_forms(program, trainable, settings)
    started = start_head(program, trainable, settings, samples, opened.why_scales_stay)
    started = start_biases(started, trainable, settings, samples)
    program = started.program
    salient = seek(program, trainable, settings, samples["train"], recorded)
    if recorded:
        known = {name: recorded.settings[name] for name in settings.automatic}
        if settings.bias_sizes == "auto":
            known["bias_sizes"] = (UNSAID | recorded.settings)["bias_sizes"]
        settings, found = replace(settings, **known), None
    else:
        settings, found = search(
            program, trainable, settings, samples["train"], settings.threads, salient.masks
        )
    trained, plan = for_training(program, trainable, settings)
    plan = masked(plan, salient.masks)
    prefix, deployed = run_prefix(trained, plan, samples, settings), None
    if settings.master:
        deployed = _engine(prefix, program, settings)
    else:
        program = trained
    left = prefix.plan(plan)
    return IntegerLearner(
        prepared=prepared,
        settings=settings,
        opened=opened,
        program=program,
        trained=trained,
        plan=plan,
        prefix=prefix,
        engine=CoreEngine(
            training_arena(prefix.program(trained), left),
            left,
            threads=settings.threads,
            memory=settings.memory,
        ),
        deployed=deployed,
        inputs=samples,
        found=found,
        started=started,
        salient=salient,
        steps=settings.steps,
        shares=plan.directions if plan.share_batch else 1,
        directions=plan.directions,
    )


def _engine(prefix: Prefix, program: Program, settings: Settings) -> CoreEngine:
    """What runs the rest of a program, without a plan."""
    return CoreEngine(prefix.program(program), threads=settings.threads, memory=settings.memory)


def _integers(program: Program, part: Dataset) -> Samples:
    return quantize_input(program, part.x), part.y.astype(np.int32)


def _steps(settings: Settings, program: Program, samples: Samples, recorded: Journal | None) -> int:
    """The number of steps: given, recorded, or as many as fit the time (measured before the run, on these samples)."""
    if settings.minutes is None:
        return settings.steps
    if recorded:
        return recorded.settings["steps"]
    most = settings.with_steps(2**32 - 1)
    trained, plan = for_training(program, select(program, settings.train), most)
    engine = CoreEngine(trained, plan, threads=settings.threads, memory=settings.memory)
    x, y = (part[: settings.batch] for part in samples)
    taken, started = 0, time.monotonic()
    for _ in take(make(most), engine, lambda step: Batch.of(x, y), range(10_000)):
        taken += 1
        if time.monotonic() - started > min(1.0, settings.minutes * 6):
            break
    return max(1, int(taken * settings.minutes * 60 / (time.monotonic() - started)))
