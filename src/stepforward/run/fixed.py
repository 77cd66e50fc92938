"""An adaptation in fixed point: quantize, lower, plan, run QZO-FF with its journal, measure."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from stepforward import journal as journals
from stepforward.data.dataset import Dataset
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, Snapshot, logits_of
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.lowering.weights import network_weights
from stepforward.memory import memory
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.moving.select import select
from stepforward.program.arena import plan_arena
from stepforward.program.for_training import for_training
from stepforward.program.model import Program
from stepforward.program.training_plan import TrainingPlan
from stepforward.quantization.formats import QuantizationSettings
from stepforward.run.batches import batches_of
from stepforward.run.fidelity import fidelity, fidelity_notes
from stepforward.run.fixed_steps import fixed_judge, fixed_steps
from stepforward.run.folder import BASE, JOURNAL, remove_run
from stepforward.run.notes import notes
from stepforward.run.prepare import Prepared
from stepforward.run.progress import OnProgress
from stepforward.run.recorded import recorded_settings
from stepforward.run.result import description, measured
from stepforward.run.same_run import check_evaluations, check_same_run, journal_settings
from stepforward.run.training import train
from stepforward.scores import NATS, Score, class_weights, score
from stepforward.settings import Settings
from stepforward.sources.open import open_source
from stepforward.sources.source import Source

Samples = tuple[NDArray[np.int8], NDArray[np.int32]]


def adapt_fixed(
    prepared: Prepared,
    settings: Settings,
    folder: Path | None,
    resume: bool,
    overwrite: bool,
    on_progress: OnProgress | None,
) -> tuple[dict, ir.Model, Program]:
    """Run QZO-FF; returns the result's entries, the adapted QDQ model and the adapted program."""
    opened = quantized(prepared.opened, prepared.train.x, settings, prepared.train.sources)
    if resume and (folder / BASE).exists():
        opened = recorded_base(opened, folder / BASE)
    program = lower(opened.network())
    sets = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
    samples = {name: _integers(program, part) for name, part in sets.items() if part is not None}

    weights = class_weights(samples["validation"][1], settings.balance)
    recorded = journals.read(folder / JOURNAL) if resume else None
    if recorded:
        recorded_settings(recorded, str(folder / JOURNAL))
    steps = _steps(settings, program, samples["train"], recorded)
    trained, plan = for_training(program, select(program, settings.train), settings.with_steps(steps))
    program = plan_arena(program, plan.first_op)  # scores are of the program as it is, at temperature 1
    every = settings.evaluate_every or max(1, steps // 40)
    header = journal_settings(settings, program, plan, samples, every)
    if recorded:
        check_same_run(recorded, header, folder / JOURNAL)
        check_evaluations(recorded, int(weights.sum()), folder / JOURNAL)
    if folder and overwrite:
        remove_run(folder)

    engine = CoreEngine(trained, plan, threads=settings.threads, memory=settings.memory)
    measured_on = "test" if "test" in samples else "validation"
    before = _score(program, engine, samples[measured_on])
    writer = _open_journal(folder, recorded, header, plan)
    batches = _batches(samples["train"], settings)
    started = time.monotonic()
    try:
        if folder and prepared.opened.is_float:
            opened.save(folder / BASE)
        run = train(
            fixed_steps(engine, batches, writer, recorded, steps, plan.directions, plan.share_batch),
            fixed_judge(
                lambda: _score(program, engine, samples["validation"]).weighed(weights), writer, recorded
            ),
            lambda: engine.snapshot().weights,
            steps=steps,
            validation_count=int(weights.sum()),
            nats=NATS,
            evaluate_every=every,
            patience=settings.patience,
            on_progress=on_progress,
        )
        writer.end(run.best.step, run.stopped)
    except KeyboardInterrupt:
        writer.flush()
        raise
    finally:
        writer.close()
    seconds = time.monotonic() - started

    engine.restore(Snapshot(run.best.weights))
    after = _score(program, engine, samples[measured_on])
    adapted = replace(program, weights=run.best.weights)
    kept = _kept(prepared, opened, program)
    result = {
        "method": "qzo-ff",
        "bits": opened.bits,
        "train": settings.train,
        **measured(before, after, run, seconds, measured_on, prepared.train.class_names),
        **memory(program, plan),
        "host_scratch_bytes": engine.scratch_bytes,
        "directions": plan.directions,
        "trainable_parameters": plan.elements,
        "journal_bytes": (folder / JOURNAL).stat().st_size if folder else 0,
        "base_sha256": program.weights_sha256,
        "weights_sha256": adapted.weights_sha256,
        **description(prepared, settings, steps, every),
        **kept,
        "notes": [*_new_notes(prepared.opened, opened), *notes(program, plan, run)],
    }
    if kept:
        result["notes"] += fidelity_notes(kept["quantization"], opened.bits)
    return result, opened.with_weights(network_weights(adapted)).model, adapted


def _kept(prepared: Prepared, opened: Source, program: Program) -> dict:
    """The float network against the integers it became, on the training samples; nothing where integers were given."""
    if not prepared.opened.is_float:
        return {}
    return {"quantization": fidelity(prepared.opened, program, prepared.train.x, prepared.train.y)}


def _new_notes(given: Source, opened: Source) -> list[str]:
    """What quantizing noted in the model."""
    return [note for note in opened.notes if note not in given.notes]


def _score(program: Program, engine: CoreEngine, samples: Samples) -> Score:
    return score(program, logits_of(engine, samples[0]), samples[1])


def _batches(samples: Samples, settings: Settings) -> Callable[[int], Batch]:
    x, y = samples
    shares = settings.directions if settings.share_batch else 1
    indices = batches_of(settings.seed, y, settings.batch, settings.balance, shares)
    return lambda step: Batch.of(x[indices(step)], y[indices(step)])


def _open_journal(
    folder: Path | None, recorded: journals.Journal | None, header: dict, plan: TrainingPlan
) -> journals.JournalWriter:
    nowhere = Path(os.devnull)  # no run folder, or the run in it has ended and is only measured again
    if recorded and recorded.kept is None:
        return journals.JournalWriter.resume(folder / JOURNAL, recorded)
    path = folder / JOURNAL if folder and not recorded else nowhere
    return journals.JournalWriter.create(path, header, plan.directions)


def quantized(
    opened: Source, x: NDArray[np.float32], settings: Settings, sources: tuple[str, ...] | None = None
) -> Source:
    """The model in fixed point: as it is, or quantized with ranges seen on `x`, whose samples notes call `sources`."""
    if not opened.is_float:
        if settings.bits not in (Settings.bits, opened.bits):
            raise StepforwardError(
                f"--bits {settings.bits}, but {opened.name} is quantized already ({opened.bits})",
                "give the float model, or leave --bits out",
            )
        return opened
    formats = QuantizationSettings.parse(settings.bits, method=settings.calibration)
    return opened.quantized(formats, x, sources)


def recorded_base(opened: Source, path: Path) -> Source:
    """The base a float model was quantized to when the run began: calibrating again could differ in a last bit.

    Raises:
        StepforwardError: it was made from another float model, or with other bits.
    """
    base = open_source(path)
    weights = [network_weights(lower(model.network()), only="weight") for model in (opened, base)]
    same = weights[0].keys() == weights[1].keys() and all(
        np.array_equal(q, weights[1][name]) for name, q in weights[0].items()
    )
    if not same:
        raise StepforwardError(
            f"{path} was made from another model than {opened.name}, or with other --bits",
            "give the model and the options the run was started with",
        )
    return replace(opened, model=base.model)


def _integers(program: Program, part: Dataset) -> Samples:
    return quantize_input(program, part.x), part.y.astype(np.int32)


def _steps(settings: Settings, program: Program, samples: Samples, recorded: journals.Journal | None) -> int:
    """The number of steps: given, recorded, or as many as fit the time (measured before the run, on these samples)."""
    if settings.minutes is None:
        return settings.steps
    if recorded:
        return recorded.settings["steps"]
    trained, plan = for_training(program, select(program, settings.train), settings.with_steps(2**32 - 1))
    engine = CoreEngine(trained, plan, threads=settings.threads, memory=settings.memory)
    x, y = (part[: settings.batch] for part in samples)
    taken, started = 0, time.monotonic()
    for _ in qzo_ff(engine, lambda step: Batch.of(x, y), range(10_000), plan.directions, plan.share_batch):
        taken += 1
        if time.monotonic() - started > min(1.0, settings.minutes * 6):
            break
    return max(1, int(taken * settings.minutes * 60 / (time.monotonic() - started)))
