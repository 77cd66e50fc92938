"""The story of a run: measure, train, keep the best weights, measure again."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import stepforward
from stepforward import journal as journals
from stepforward.engines.protocol import Batch
from stepforward.errors import StepforwardError
from stepforward.methods.table import GRADIENTS, METHODS, make
from stepforward.program.model import Program
from stepforward.run.batches import batches_of
from stepforward.run.comparison import comparison
from stepforward.run.first_stage import Begun, begin
from stepforward.run.folder import JOURNAL, remove_run
from stepforward.run.integers import integer_learner
from stepforward.run.learner import Learner
from stepforward.run.notes import notes, unmoved
from stepforward.run.prepare import Prepared
from stepforward.run.progress import OnProgress
from stepforward.run.recorded import recorded_settings
from stepforward.run.result import Course, RunResult, SampleCounts
from stepforward.run.resume_point import recorded_point
from stepforward.run.same_run import check_evaluations, check_same_run
from stepforward.run.session import Session
from stepforward.run.started import check_same_start
from stepforward.run.training import Rules, Run, train
from stepforward.scores import class_weights
from stepforward.settings import Settings
from stepforward.sources.source import Source


def run_adaptation(
    prepared: Prepared,
    settings: Settings,
    folder: Path | None,
    resume: bool,
    overwrite: bool,
    on_progress: OnProgress | None,
) -> tuple[RunResult, Source, Program | None]:
    """Run a method; returns its result, the adapted model, and the adapted program if there is one.

    Args:
        prepared: model and data.
        settings: of the run.
        folder: where its journal is kept, or None.
        resume: whether the folder holds a run to resume.
        overwrite: whether an earlier run in the folder is replaced, once everything given has been checked.
        on_progress: called after every new step.

    Raises:
        StepforwardError: the settings do not fit the model, or the folder holds another run.
    """
    recorded = _recorded(folder) if folder and resume else None
    begun = begin(prepared, settings, recorded, folder and folder / JOURNAL)
    learner = _learner(begun.prepared, settings, folder, recorded)
    begun = begun.then(learner.started)
    steps, every = learner.steps, settings.evaluate_every or max(1, learner.steps // 40)
    counts = class_weights(prepared.validation.y, settings.balance)
    base = begun.base.weights_sha256 if begun.base else learner.sha256()
    header = learner.header(every)
    if header is not None:
        header["base_sha256"] = base
    if folder and recorded and header is not None:
        check_same_run(recorded, header, folder / JOURNAL)
        check_evaluations(recorded, int(counts.sum()), folder / JOURNAL)
        check_same_start(learner.started, recorded, folder / JOURNAL)
    if folder and overwrite:
        remove_run(folder)

    measured_on = "test" if "test" in learner.samples else "validation"
    measuring = learner.samples[measured_on]
    before = begun.score_before(measured_on, settings) or learner.score(measured_on)
    writer = _open_journal(folder, recorded, header, learner.directions)
    if writer is not None:
        for site in begun.constants[len(recorded.matching) if recorded else 0 :]:
            writer.matching(site)
        if begun.finer and not (recorded and recorded.ranges):
            writer.ranges(begun.finer)
        if begun.head is not None and (recorded is None or recorded.start is None):
            writer.parameters(journals.Parameters(0, begun.head.written))
        if begun.biases is not None and (recorded is None or recorded.biases is None):
            writer.biases(begun.biases)
        if learner.salient and learner.salient.votes and not (recorded and recorded.probes):
            writer.probes(learner.salient.votes)
    started = time.monotonic()
    with Session(make(learner.settings), learner.engine, writer, recorded, learner.tail) as session:
        if folder:
            learner.save_base(folder)
        run = train(
            session,
            _batches(learner, settings),
            lambda: learner.judged().weighed(counts),
            Rules(
                steps=steps,
                most_steps=max(steps, learner.settings.most_steps),
                lr=learner.settings.lr,
                validation_count=int(counts.sum()),
                least_correct=begun.ranges.least_correct if begun.ranges else None,
                nats=learner.nats,
                evaluate_every=every,
                patience=settings.patience,
            ),
            learner.lead,
            (lambda: learner.watched().weighed(counts)) if settings.judge == "flat" else None,
            on_progress,
        )
    seconds = time.monotonic() - started
    learner.engine.restore(run.best.snapshot)
    compared = comparison(before, learner.score(measured_on), measured_on, prepared.train.class_names)
    own, test = learner.figures(run), prepared.test
    counted = SampleCounts(
        train=len(prepared.train),
        validation=len(prepared.validation),
        test=None if test is None else len(test),
    )
    result = RunResult(
        source=prepared.opened.name,
        data=prepared.data_name,
        test=prepared.test_name,
        method=settings.method,
        bits=own.bits,
        train=settings.train,
        **vars(compared),
        **vars(_course(run, seconds, begun)),
        **vars(own.memory),
        host_scratch_bytes=own.host_scratch_bytes,
        directions=learner.directions,
        trainable_parameters=own.trainable_parameters,
        journal_bytes=(folder / JOURNAL).stat().st_size if folder and header is not None else 0,
        base_sha256=base,
        weights_sha256=learner.sha256(),
        class_names=list(prepared.train.class_names),
        samples=counted,
        split={"train": prepared.split.train.tolist(), "validation": prepared.split.validation.tolist()},
        settings={**asdict(learner.settings), "steps": steps, "evaluate_every": every},
        stepforward=stepforward.__version__,
        quantization=own.quantization,
        search=own.found,
        saliency=learner.salient.told if learner.salient else None,
        first_stage=begun.told,
        ranges=begun.ranges,
        head_start=learner.started.told if learner.started else None,
        bias_start=learner.started.biases_told if learner.started else None,
        notes=notes(
            prepared,
            compared,
            [*begun.notes, *own.notes, *unmoved(run, begun.stages)],
            len(measuring[1]),
            settings.balance,
        ),
    )
    return result, *learner.adapted()


def _course(run: Run, seconds: float, begun: Begun) -> Course:
    start = f"{' and '.join(begun.stages)}: no step helped" if begun.stages else "base: nothing helped"
    return Course(
        kept=f"step {run.best.step}" if run.best.step else start,
        kept_step=run.best.step,
        steps=run.steps,
        stopped=run.stopped,
        seconds=seconds,
        steps_per_second=run.steps / max(seconds, 1e-9),
        forward_passes=run.forward_passes,
        curve=tuple(run.curve),
    )


def _recorded(folder: Path) -> journals.Journal:
    path = folder / JOURNAL
    recorded = journals.read(path)
    settings = recorded_settings(recorded, str(path)).steps
    return recorded if settings.tail == "votes" else recorded_point(path)


def _learner(
    prepared: Prepared, settings: Settings, folder: Path | None, recorded: journals.Journal | None
) -> Learner:
    listed = METHODS[settings.method]
    if settings.minutes is not None and "minutes" not in listed.takes:
        raise StepforwardError(f"--minutes is not available for {settings.method}", "give --steps")
    if listed.needs == GRADIENTS:
        from stepforward.run.gradients import gradient_learner  # needs torch, an extra

        return gradient_learner(prepared, settings)
    return integer_learner(prepared, settings, folder, recorded)


def _open_journal(
    folder: Path | None, recorded: journals.Journal | None, header: dict | None, directions: int
) -> journals.JournalWriter | None:
    """None without a run folder, and where the run in it has ended and is only measured again."""
    if folder is None or header is None:
        return None
    if recorded is None:
        return journals.JournalWriter.create(folder / JOURNAL, header, directions)
    return journals.JournalWriter.resume(folder / JOURNAL, recorded) if recorded.kept is None else None


def _batches(learner: Learner, settings: Settings) -> Callable[[int], Batch]:
    x, y = learner.samples["train"]
    indices = batches_of(settings.seed, y, settings.batch, settings.balance, learner.shares)
    return lambda step: Batch.of(x[indices(step)], y[indices(step)])
