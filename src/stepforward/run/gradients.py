"""A network that learns in float32, by its gradient: same data, split, trainable set and choice of weights.

A quantized model is trained from the real values of its integers, so that all methods start from one network.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stepforward.engines.protocol import logits_of
from stepforward.engines.torch import TorchEngine, set_threads
from stepforward.graph.nodes import logits_of as logits_in
from stepforward.lowering.lower import lower
from stepforward.memory import memory
from stepforward.moving.select import select
from stepforward.plan.make import plan_training
from stepforward.plan.model import TrainingPlan
from stepforward.program.model import Program
from stepforward.run.figures import Figures
from stepforward.run.learner import Samples
from stepforward.run.prepare import Prepared
from stepforward.run.training import Run
from stepforward.scores import Score, score_float
from stepforward.settings import Settings
from stepforward.sources.source import Source


@dataclass
class GradientLearner:
    """See `run.learner.Learner`.

    Attributes:
        opened: the model as it was given.
        program, plan: of the same network in fixed point, for the memory figures.
    """

    opened: Source
    program: Program
    plan: TrainingPlan
    engine: TorchEngine
    settings: Settings
    samples: dict[str, Samples]
    steps: int
    shares: int = 1
    nats: float = 1.0
    lead: None = None
    directions: int = 0
    tail: None = None
    started: None = None
    salient: None = None

    def score(self, part: str, temperature: float = 1.0) -> Score:
        """How the present weights do on a part of the samples."""
        x, y = self.samples[part]
        return score_float(logits_of(self.engine, x) / temperature, y)

    def judged(self) -> Score:
        """The same on the validation samples, by the loss that chooses among weights."""
        return self.score("validation", self.settings.judging_temperature)

    def watched(self) -> Score:
        """The same: nothing watches, since a run has one leg."""
        return self.judged()

    def sha256(self) -> str:
        """Of the present weights."""
        digest = hashlib.sha256()
        for name, array in sorted(self.engine.snapshot().items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def header(self, every: int) -> None:
        """No journal is kept: gradients are not a few bits."""

    def save_base(self, folder: Path) -> None:
        """Nothing: nothing is replayed."""

    def figures(self, run: Run) -> Figures:
        """What only this kind of network can say of itself."""
        found = memory(self.program, self.plan)
        found = replace(
            found,
            weight_bytes=4 * sum(tensor.elements for tensor in self.program.parameters),
            scratch_bytes_training=found.backprop_scratch_bytes,
        )
        return Figures(
            bits="float32",
            memory=found,
            trainable_parameters=self.plan.elements,
            notes=_left_out(self.opened),
        )

    def adapted(self) -> tuple[Source, None]:
        """The float model with the present weights."""
        return replace(self.opened, model=self.opened.reading_samples(self.engine.model())), None


def _left_out(opened: Source) -> list[str]:
    """A note where a quantized model has outputs that its float form has not."""
    model, logits = opened.model, logits_in(opened.model)
    names = ", ".join(repr(value.name) for value in model.graph.outputs if value is not logits)
    if opened.is_float or not names:
        return []
    return [f"the float model that {opened.name} stands for has its logits alone: {names} is left out"]


def gradient_learner(prepared: Prepared, settings: Settings) -> GradientLearner:
    """Make the engine, and the fixed-point form that the memory figures are of."""
    graph = prepared.opened.float_model()
    program = lower(prepared.in_fixed_point(settings).network())
    plan = plan_training(program, select(program, settings.train), Settings(steps=settings.steps))
    if settings.threads:
        set_threads(settings.threads)
    return GradientLearner(
        opened=prepared.opened,
        program=program,
        plan=plan,
        engine=TorchEngine(graph, [program.tensors[entry.tensor].name for entry in plan.trainable]),
        settings=settings,
        samples={name: (part.x, part.y) for name, part in prepared.parts.items()},
        steps=settings.steps,
    )
