"""`stepforward adapt`."""

from pathlib import Path
from typing import Annotated

import typer

from stepforward.cli.options import (
    ADVANCED,
    DEFAULTS,
    Bits,
    Calibration,
    Classes,
    Data,
    Epsilon,
    Image,
    InputShape,
    Json,
    Lr,
    Memory,
    Model,
    Preprocess,
    Threads,
    Train,
    advanced,
)
from stepforward.cli.outcome import Outcome
from stepforward.cli.stopped import stopped
from stepforward.errors import StepforwardError


def adapt(
    context: typer.Context,
    model: Model,
    data: Data,
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Other labelled samples to measure on, before and after; used for nothing else.",
            show_default="measure on the validation samples, which is optimistic",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Run folder: adapted.onnx, adapted.sfp, journal, result.json, report.html.",
            show_default="a new folder runs/MODEL-n",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Resume the stopped run in --out, with the same model, data and options; "
            "the weights come out the same to the last bit.",
        ),
    ] = False,
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Steps to take; the learning-rate schedule is stretched over them. Not with --minutes.",
            show_default="2000; backprop 400",
        ),
    ] = None,
    train: Train = DEFAULTS.train,
    classes: Classes = None,
    image: Image = None,
    preprocess: advanced(Preprocess) = None,
    input_shape: InputShape = None,
    as_json: Json = False,
    bits: advanced(Bits) = DEFAULTS.bits,
    calibration: advanced(Calibration) = DEFAULTS.calibration,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            help="Time to spend, in minutes; the number of steps is measured from it before the run. Not with --steps.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    threads: advanced(Threads) = None,
    memory: advanced(Memory) = DEFAULTS.memory,
    method: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            help="qzo-ff: forward passes only, in integers. backprop: the float32 baseline on the same "
            "trainable set; needs stepforward\\[torch].",
            rich_help_panel=ADVANCED,
        ),
    ] = DEFAULTS.method,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace an earlier run in --out, once model, data and options have been checked.",
            rich_help_panel=ADVANCED,
        ),
    ] = False,
    directions: Annotated[
        int,
        typer.Option(
            metavar="m",
            help="Random directions per step, 1 to 255; each costs one bit of journal, and two forward passes over "
            "its share of the batch. More: more votes from the same passes, each on fewer samples.",
            rich_help_panel=ADVANCED,
        ),
    ] = DEFAULTS.directions,
    share_batch: Annotated[
        bool,
        typer.Option(
            "--share-batch/--whole-batch",
            help="Each direction is tried on every m-th sample of the batch, or, as in the paper, on all of them: "
            "steadier votes at m times the passes.",
            rich_help_panel=ADVANCED,
        ),
    ] = DEFAULTS.share_batch,
    temperature: Annotated[
        float,
        typer.Option(
            metavar="T",
            help="Of the training loss of qzo-ff: logits are divided by it. Above 1, samples that are right already "
            "still count, which is steadier with few samples; 1 is the cross-entropy itself.",
            rich_help_panel=ADVANCED,
        ),
    ] = DEFAULTS.temperature,
    epsilon: advanced(Epsilon) = DEFAULTS.epsilon,
    lr: advanced(Lr) = None,
    batch: Annotated[
        int | None,
        typer.Option(
            show_default="128; backprop 32",
            metavar="B",
            help="Samples per step; all of them where there are fewer. Larger: less noise in the losses, slower steps.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="S",
            help="Of directions, sample order and split: the same seed gives the same weights to the last bit.",
            rich_help_panel=ADVANCED,
        ),
    ] = DEFAULTS.seed,
    momentum: Annotated[
        float | None,
        typer.Option(
            show_default="0; backprop 0.9",
            metavar="BETA",
            help="0 to below 1. 0.9 smooths steps; costs two bytes of RAM per trainable parameter.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    distribution: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Of the directions: normal, rademacher or binomial.",
            rich_help_panel=ADVANCED,
        ),
    ] = DEFAULTS.distribution,
    perturbation: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="exact: weights plus and minus the probe. paper: its formula (6), which shrinks them a little.",
            rich_help_panel=ADVANCED,
        ),
    ] = DEFAULTS.perturbation,
    rounding: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Of the update: nearest, floor (the paper) or stochastic (moves below one quantum count on average).",
            rich_help_panel=ADVANCED,
        ),
    ] = DEFAULTS.rounding,
    schedule: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Of the learning rate: constant, linear or cosine.", rich_help_panel=ADVANCED
        ),
    ] = DEFAULTS.schedule,
    warmup: Annotated[
        int,
        typer.Option(
            metavar="N", help="Steps over which the learning rate rises from 0.", rich_help_panel=ADVANCED
        ),
    ] = DEFAULTS.warmup,
    validation: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Share of DATA held out to choose the weights that are kept; it moves no weights.",
            rich_help_panel=ADVANCED,
        ),
    ] = DEFAULTS.validation,
    balance: Annotated[
        bool,
        typer.Option(
            "--balance/--no-balance",
            help="Every class counts alike: batches hold as many samples of a rare class as of a common one (its own, "
            "repeated), and the weights that are kept have the best loss and accuracy averaged over classes. "
            "For data where one class has far fewer samples than another and matters as much.",
        ),
    ] = DEFAULTS.balance,
    evaluate_every: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Steps between validations.",
            show_default="40 validations in a run",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="End after this many validations without improvement.",
            show_default="never before the last step",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
) -> Outcome:
    """Adapt a network to your own samples, by forward passes only.

    Part of DATA is held out to choose the weights that are kept: if nothing helped, you get back what you gave.

    [bold]Example:[/bold] stepforward adapt digits.onnx --data my_clips --test other_clips --steps 1500 --directions 8
    """
    settings = {name: value for name, value in locals().items() if name in DEFAULTS.__dataclass_fields__}
    if steps is not None and minutes is not None:
        raise StepforwardError("both --steps and --minutes are given", "give one of them")
    if resume and overwrite:
        raise StepforwardError("both --resume and --overwrite are given", "give one of them")
    if resume and out is None:
        raise StepforwardError("--resume without --out", "name the folder of the stopped run with --out DIR")
    folder = out or _new_folder(model)

    from stepforward.report.progress import watch
    from stepforward.report.terminal import adaptation
    from stepforward.verbs.adapt import adapt as verb

    with watch() as progress:
        try:
            result = verb(
                model,
                data,
                test=test,
                out=folder,
                resume=resume,
                overwrite=overwrite,
                classes=classes,
                image=image,
                preprocess=preprocess,
                input_shape=input_shape,
                on_progress=progress,
                **settings,
            )
        except KeyboardInterrupt:
            raise stopped(progress.step, folder, context.find_root().obj) from None
    return Outcome({**result, "out": str(folder)}, adaptation)


def _new_folder(model: Path) -> Path:
    number = 1
    while (folder := Path("runs") / f"{model.stem}-{number}").exists():
        number += 1
    return folder
