"""An adaptation in fixed point: quantize, lower, plan, run QZO-FF with its journal, measure."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from stepforward import journal as journals
from stepforward.data.dataset import Dataset
from stepforward.engines.core import CoreEngine
from stepforward.errors import StepforwardError
from stepforward.frontend.onnx import save_onnx
from stepforward.inputs import quantize_input
from stepforward.memory import memory
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.models import Opened, to_program
from stepforward.program.arena import plan_arena
from stepforward.program.lower import onnx_weights
from stepforward.program.model import Program
from stepforward.program.training_plan import TrainingPlan, plan_training, quanta
from stepforward.quantization.formats import QuantizationSettings
from stepforward.quantization.qdq import quantize as quantize_graph
from stepforward.quantization.write_back import with_weights
from stepforward.run.batches import batch_indices
from stepforward.run.fixed_steps import fixed_judge, fixed_steps
from stepforward.run.folder import BASE, JOURNAL, make_folder
from stepforward.run.prepare import Prepared
from stepforward.run.progress import OnProgress
from stepforward.run.result import description, measured
from stepforward.run.settings import DEFAULT_STEPS, Settings
from stepforward.run.training import Run, train
from stepforward.scores import NATS, Score, score
from stepforward.trainable import select

Samples = tuple[NDArray[np.int8], NDArray[np.int32]]


def adapt_fixed(
    prepared: Prepared, settings: Settings, folder: Path | None, resume: bool, on_progress: OnProgress | None
) -> tuple[dict, ir.Model, Program]:
    """Run QZO-FF; returns the result's entries, the adapted QDQ model and the adapted program."""
    opened = quantized(prepared.opened, prepared.train.x, settings)
    program = to_program(opened)
    sets = {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}
    samples = {name: _integers(program, part) for name, part in sets.items() if part is not None}

    recorded = journals.read(folder / JOURNAL) if resume else None
    steps = _steps(settings, program, samples["train"], recorded)
    plan = plan_training(program, select(program, settings.train), settings.step_settings(steps))
    program = plan_arena(program, plan.first_op)
    every = settings.evaluate_every or max(1, steps // 40)
    header = _journal_settings(settings, program, plan, samples, every)
    if recorded:
        _check_same_run(recorded, header, folder / JOURNAL)
    if folder:
        make_folder(folder)

    engine = CoreEngine(program, plan, threads=settings.threads)
    measured_on = "test" if "test" in samples else "validation"
    before = _score(engine, samples[measured_on])
    writer = _open_journal(folder, recorded, header, plan)
    batches = _batches(samples["train"], settings)
    started = time.monotonic()
    try:
        if folder and not prepared.opened.quantized:
            save_onnx(opened.graph, folder / BASE)
        run = train(
            fixed_steps(engine, batches, writer, recorded, steps, plan.directions),
            fixed_judge(lambda: _score(engine, samples["validation"]), writer, recorded),
            engine.weights,
            steps=steps,
            validation_count=len(samples["validation"][1]),
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

    engine.restore(run.best.weights)
    after = _score(engine, samples[measured_on])
    adapted = replace(program, weights=run.best.weights)
    result = {
        "method": "qzo-ff",
        "bits": opened.bits,
        "train": settings.train,
        **measured(before, after, run, seconds, measured_on),
        **memory(program, plan),
        "directions": plan.directions,
        "trainable_parameters": plan.elements,
        "journal_bytes": (folder / JOURNAL).stat().st_size if folder else 0,
        "base_sha256": program.weights_sha256,
        "weights_sha256": adapted.weights_sha256,
        **description(prepared, settings, steps, every),
        "notes": _notes(program, plan, run),
    }
    return result, with_weights(opened.graph, onnx_weights(adapted)), adapted


def _score(engine: CoreEngine, samples: Samples) -> Score:
    return score(engine.program, engine.logits(samples[0]), samples[1])


def _batches(samples: Samples, settings: Settings) -> Callable[[int], Samples]:
    x, y = samples
    indices = batch_indices(settings.seed, len(y), settings.batch)
    return lambda step: (x[indices(step)], y[indices(step)])


def _open_journal(
    folder: Path | None, recorded: journals.Journal | None, header: dict, plan: TrainingPlan
) -> journals.JournalWriter:
    nowhere = Path(os.devnull)  # no run folder, or the run in it has ended and is only measured again
    if recorded and recorded.kept is None:
        return journals.JournalWriter.resume(folder / JOURNAL, recorded)
    path = folder / JOURNAL if folder and not recorded else nowhere
    return journals.JournalWriter.create(path, header, plan.directions)


def quantized(opened: Opened, x: NDArray[np.float32], settings: Settings) -> Opened:
    """The model in fixed point: as it is, or quantized with ranges seen on `x`."""
    if opened.quantized:
        if settings.bits not in (Settings.bits, opened.bits):
            raise StepforwardError(
                f"--bits {settings.bits}, but {opened.source} is quantized already ({opened.bits})",
                "give the float model, or leave --bits out",
            )
        return opened
    formats = QuantizationSettings.parse(settings.bits, method=settings.calibration)
    graph = quantize_graph(opened.graph, x, formats)
    return Opened(graph, True, opened.preprocessing, opened.class_names, opened.source)


def _integers(program: Program, part: Dataset) -> Samples:
    return quantize_input(program, part.x), part.y.astype(np.int32)


def _steps(settings: Settings, program: Program, samples: Samples, recorded: journals.Journal | None) -> int:
    """The number of steps: given, recorded, or as many as fit the time (measured before the run, on these samples)."""
    if settings.minutes is None:
        return settings.steps or DEFAULT_STEPS
    if recorded:
        return recorded.settings["steps"]
    plan = plan_training(program, select(program, settings.train), settings.step_settings(2**32 - 1))
    engine = CoreEngine(plan_arena(program, plan.first_op), plan, threads=settings.threads)
    x, y = (part[: settings.batch] for part in samples)
    taken, started = 0, time.monotonic()
    for _ in qzo_ff(engine, lambda step: (x, y), range(10_000), plan.directions):
        taken += 1
        if time.monotonic() - started > min(1.0, settings.minutes * 6):
            break
    return max(1, int(taken * settings.minutes * 60 / (time.monotonic() - started)))


def _journal_settings(
    settings: Settings, program: Program, plan: TrainingPlan, samples: dict, every: int
) -> dict:
    """Everything that decides the weights: a resumed run must agree on all of it."""
    x, y = samples["train"]
    held_x, held_y = samples["validation"]
    digest = hashlib.sha256()
    for part in (x, y, held_x, held_y):
        digest.update(np.ascontiguousarray(part).tobytes())
    steps = asdict(settings.step_settings(plan.steps))
    return {
        **steps,
        "base_sha256": program.weights_sha256,
        "data_sha256": digest.hexdigest(),
        "trainable": [program.tensors[entry.tensor].name for entry in plan.trainable],
        "batch": settings.batch,
        "evaluate_every": every,
        "patience": settings.patience,
    }


def _check_same_run(recorded: journals.Journal, header: dict, path: Path) -> None:
    different = sorted(
        k for k in header.keys() | recorded.settings.keys() if header.get(k) != recorded.settings.get(k)
    )
    if not different:
        return
    if "base_sha256" in different:
        what, remedy = f"{path} belongs to another base model", "give the model the run was started with"
    elif different == ["data_sha256"]:
        what, remedy = (
            f"{path} was started with other data",
            "give the same data, or start a new run in another --out",
        )
    else:
        said = ", ".join(
            f"{k} {recorded.settings.get(k)!r} there, {header.get(k)!r} now" for k in different[:4]
        )
        what, remedy = (
            f"{path} was started with other settings: {said}",
            "resume with the options of the first call",
        )
    raise StepforwardError(what, remedy)


def _notes(program: Program, plan: TrainingPlan, run: Run) -> list[str]:
    moves = quanta(program, plan)
    notes = []
    still = [name for name, (probe, _) in moves.items() if probe < 0.5]
    if still:
        notes.append(
            f"epsilon is below half a quantum of {_names(still)}: probes do not move there; use a larger epsilon"
        )
    slow = [name for name, (_, step) in moves.items() if step / plan.directions < 0.01]
    if slow:
        notes.append(
            f"the learning rate is far below a quantum of {_names(slow)}: hardly anything moves there"
        )
    if not run.best.step:
        notes.append("no weights seen were better on the validation samples: the base is returned unchanged")
    return notes


def _names(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more tensors" if len(names) > 3 else "")
