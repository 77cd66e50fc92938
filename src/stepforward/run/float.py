"""The same adaptation by float backpropagation: same data, split, trainable set and choice of weights."""

import hashlib
import time
from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from stepforward.data.dataset import Dataset
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.torch import TorchEngine, set_threads
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
from stepforward.memory import memory
from stepforward.methods.protocol import take
from stepforward.methods.table import make
from stepforward.moving.select import select
from stepforward.program.training_plan import plan_training
from stepforward.run.batches import batches_of
from stepforward.run.fixed import quantized
from stepforward.run.prepare import Prepared
from stepforward.run.progress import OnProgress
from stepforward.run.result import description, measured
from stepforward.run.training import Taken, train
from stepforward.scores import Score, class_weights, score_float
from stepforward.settings import Settings


def adapt_float(
    prepared: Prepared, settings: Settings, on_progress: OnProgress | None
) -> tuple[dict, ir.Model, None]:
    """Run SGD on float32 gradients; returns the result's entries and the adapted float model.

    A quantized model is trained from the real values of its integers, so that both methods start from one network.
    """
    if settings.minutes is not None:
        raise StepforwardError("--minutes is not available for backprop", "give --steps")
    opened = quantized(prepared.opened, prepared.train.x, settings)
    program = lower(opened.network())
    steps = settings.steps
    plan = plan_training(
        program, select(program, settings.train), Settings(steps=steps)
    )  # for the memory figures
    graph = prepared.opened.float_model()
    engine = TorchEngine(graph, [program.tensors[entry.tensor].name for entry in plan.trainable])
    if settings.threads:
        set_threads(settings.threads)

    measured_on = "validation" if prepared.test is None else "test"
    measuring = prepared.validation if prepared.test is None else prepared.test
    every = settings.evaluate_every or max(1, steps // 40)
    before = _score(engine, measuring)
    base = _sha256(engine)
    weights = class_weights(prepared.validation.y, settings.balance)
    started = time.monotonic()

    def judge(step: int) -> tuple[int, float]:
        return _score(engine, prepared.validation).weighed(weights)

    run = train(
        _steps(engine, prepared.train, settings, steps),
        judge,
        engine.snapshot,
        steps=steps,
        validation_count=int(weights.sum()),
        nats=1.0,
        evaluate_every=every,
        patience=settings.patience,
        on_progress=on_progress,
    )
    seconds = time.monotonic() - started
    engine.restore(run.best.weights)
    after = _score(engine, measuring)
    result = {
        "method": "backprop",
        "bits": "float32",
        "train": settings.train,
        **measured(before, after, run, seconds, measured_on, prepared.train.class_names),
        **memory(program, plan),
        "weight_bytes": 4 * sum(tensor.elements for tensor in program.parameters),
        "directions": 0,
        "trainable_parameters": plan.elements,
        "journal_bytes": 0,
        "base_sha256": base,
        "weights_sha256": _sha256(engine),
        **description(prepared, settings, steps, every),
        "notes": [],
    }
    result["scratch_bytes_training"] = result["backprop_scratch_bytes"]
    return result, engine.model(), None


def _steps(engine: TorchEngine, data: Dataset, settings: Settings, steps: int) -> Iterator[Taken]:
    indices = batches_of(settings.seed, data.y, settings.batch, settings.balance)

    def batches(step: int) -> Batch:
        return Batch.of(data.x[indices(step)], data.y[indices(step)])

    for step in take(make(settings), engine, batches, range(steps)):
        yield Taken(step.loss, step.forward_passes)


def _score(engine: TorchEngine, data: Dataset) -> Score:
    return score_float(logits_of(engine, data.x), data.y)


def _sha256(engine: TorchEngine) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(engine.snapshot().items()):
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
