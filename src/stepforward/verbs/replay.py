"""Rebuild an adapted model from its base and a journal, without the data."""

import time
from pathlib import Path
from typing import Any

from stepforward import journal as journals
from stepforward.engines.core import CoreEngine
from stepforward.errors import StepforwardError
from stepforward.files import refuse_to_replace
from stepforward.lowering.lower import lower
from stepforward.lowering.weights import network_weights
from stepforward.methods.table import make
from stepforward.plan.make import for_training
from stepforward.plan.masks import masked
from stepforward.program.master import rounded
from stepforward.program.model import Program
from stepforward.run.head_start import with_last_layer
from stepforward.run.legs import first_leg, leg_plan, path
from stepforward.run.match import recorded_program, written
from stepforward.run.parameters import stored
from stepforward.run.ranges import refined
from stepforward.run.recorded import recorded_masks, recorded_settings, trainable_indices
from stepforward.run.started import recorded_start
from stepforward.settings import Settings
from stepforward.sources.open import open_source
from stepforward.sources.source import Source


def replay(
    base: Any, journal: str | Path, *, out: str | Path | None = None, output: str | None = None
) -> dict:
    """Apply a journal's votes to the base model, up to the step whose weights were kept.

    Args:
        base: the quantized model the run started from: an ONNX or TensorFlow Lite file, or an `onnx_ir.Model`.
        journal: the file `journal` of the run folder.
        out: where to write the adapted file, of the kind of `base`.
        output: the name of the output that holds the logits, as the run was given it; for an int8 file of another tool.

    Returns:
        steps (recorded), kept (step), base_sha256, weights_sha256, out, seconds.

    Raises:
        StepforwardError: the journal is damaged, unfinished, or belongs to another base.
    """
    refuse_to_replace(out, base, journal)
    recorded = journals.read(journal)
    opened = open_source(base, runtime=_runtime(recorded, str(journal)), output=output)
    program = lower(opened.network())
    if recorded.settings.get("method") == "match":
        return _replay_matching(opened, program, recorded, str(journal), out)
    settings = recorded_settings(recorded, str(journal))
    _check_base(opened, program, settings.base_sha256, str(journal))
    if recorded.kept is None:
        raise StepforwardError(
            f"{journal} ends in the middle of a run, after step {len(recorded.votes)} of {settings.steps.steps}",
            "finish the run first: stepforward adapt ... --resume",
        )
    base, matched = program, recorded_program(program, recorded.matching, str(journal))
    given = written(opened, matched, _names(base, recorded)) if recorded.matching else opened
    given, begun = refined(given, matched, recorded.ranges, str(journal))
    program = recorded_start(begun, recorded, str(journal))
    moving = trainable_indices(settings, program, str(journal))
    trained, plan = for_training(program, moving, settings.steps)
    masks = recorded_masks(settings, plan, recorded, str(journal))
    engine = CoreEngine(trained, masked(plan, masks))
    started = time.monotonic()
    rule = make(settings.steps).rule
    state = rule.init(engine)
    legs = (first_leg(settings.steps), *recorded.legs)
    for number, steps in path(legs, recorded.kept):
        if number:
            engine.follow(masked(leg_plan(program, moving, settings.steps, legs[number]), masks))
        for step in steps:
            state = rule.step(state, engine, step, recorded.votes[step].tolist())
    exact = plan.trainable[len(plan.voted) :]
    if exact and recorded.kept:
        stored(engine, plan, exact).write(_parameters(recorded, str(journal)))
    adapted = rounded(program, trained, engine.snapshot().weights, settings.steps.room)
    if out is not None:
        with_last_layer(given.with_weights(network_weights(adapted)), adapted, begun).save(out)
    return {
        "steps": len(recorded.votes),
        "kept": recorded.kept,
        "base_sha256": base.weights_sha256,
        "weights_sha256": adapted.weights_sha256,
        "out": None if out is None else str(out),
        "seconds": time.monotonic() - started,
    }


def _runtime(recorded: journals.Journal, source: str) -> str:
    """Whose integers the run computed."""
    if recorded.settings.get("method") == "match":
        return Settings.runtime
    return recorded_settings(recorded, source).steps.runtime


def _parameters(recorded: journals.Journal, source: str) -> bytes:
    """The tail as it was kept."""
    found = [p.content for p in recorded.parameters if p.step == recorded.kept]
    if not found:
        raise StepforwardError(
            f"{source} lacks the parameters of the tail at step {recorded.kept}, which it keeps",
            "restore it from a copy, or start a new run",
        )
    return found[-1]


def _replay_matching(
    opened: Source, program: Program, recorded: journals.Journal, journal: str, out: str | Path | None
) -> dict:
    """The constants of the journal of a matching."""
    _check_base(opened, program, recorded.settings.get("base_sha256"), journal)
    if recorded.kept is None:
        raise StepforwardError(
            f"{journal} ends in the middle of a matching", "match again: stepforward adapt"
        )
    started = time.monotonic()
    adapted = recorded_program(program, recorded.matching, journal)
    if out is not None:
        names = _names(adapted, recorded)
        (written(opened, adapted, names) if names else opened).save(out)
    return {
        "steps": 0,
        "kept": 0,
        "base_sha256": program.weights_sha256,
        "weights_sha256": adapted.weights_sha256,
        "out": None if out is None else str(out),
        "seconds": time.monotonic() - started,
    }


def _names(program: Program, recorded: journals.Journal) -> set[str]:
    """The operators that a journal's constants are for."""
    return {program.ops[site.op].name for site in recorded.matching}


def _check_base(opened: Source, program: Program, sha256: object, journal: str) -> None:
    if program.weights_sha256 != sha256:
        raise StepforwardError(
            f"{journal} belongs to another base model than {opened.name}",
            "give the quantized model the run started from (base.onnx of the run folder, if there is one)",
        )
