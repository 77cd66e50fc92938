"""The main verb: adapt a network to a user's data."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stepforward.data.function import Prepare
from stepforward.errors import StepforwardError
from stepforward.methods.table import GRADIENTS, METHODS, STATISTICS
from stepforward.presets import with_preset
from stepforward.report.progress import watch
from stepforward.run.adaptation import run_adaptation
from stepforward.run.complete import given
from stepforward.run.folder import claimed, earlier_figures, run_folder, write_run
from stepforward.run.given import Classes, Image
from stepforward.run.prepare import prepare
from stepforward.run.progress import OnProgress
from stepforward.run.result import values
from stepforward.settings import Settings, takes_settings
from stepforward.sources.onnx.fixed_inputs import FixedInputs
from stepforward.sources.open import in_words, open_source
from stepforward.verbs.match import Matched, match
from stepforward.verbs.result import Result


@takes_settings
def adapt(
    model: Any,
    data: Any,
    *,
    test: Any = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    classes: Classes | None = None,
    image: Image | None = None,
    preprocess: str | Prepare | None = None,
    input_shape: str | Sequence[int] | None = None,
    output: str | None = None,
    fixed_inputs: FixedInputs | None = None,
    on_progress: OnProgress | None = None,
    progress: bool = True,
    command: str | None = None,
    preset: str | None = None,
    **options: Any,
) -> Result | Matched:
    """Adapt a network to labelled samples; on held-out samples the result is never worse than what was given.

    Args:
        model: path to an ONNX file (float, QDQ, or int8 of another tool) or a float or int8 TensorFlow Lite file, or
            an `onnx_ir.Model` (see `from_torch`).
        data: folder, `.npz`, CSV, `Dataset`, or (x, y) arrays. Part of it is held out to choose the weights.
        test: the same kinds; measured before and after, used for nothing else.
        out: run folder: `result.json`, `journal`, `adapted.onnx` (or `.tflite`), `adapted.sfp`,
            `report.html` (and `base.onnx`, the quantized base, when a float model was given).
        resume: resume the run in `out`; same model, data and options.
        overwrite: replace an earlier run in `out`, once everything given has been checked.
        classes: class names in the order of the logits, for a model that does not name them; default: the folders of
            the data in sorted order.
        image: how the network reads images, for a model that does not say it: a dictionary with mean, std, scale and
            fit, each optional (`run.given.image_settings`); default: pixels divided by 255.
        preprocess: your own function from the path of a file to one sample (float32, the shape of the network's input),
            or its name "module:function"; in place of what the model says.
        input_shape: of one sample, (C, H, W), for a model that leaves height or width open.
        output: of a model with several outputs the name of the one that holds the logits; default: the one called
            "logits", or the only one (N, classes). The others stay in the file; "only:NAME" leaves those of a float
            model out.
        fixed_inputs: a number for every input of a float model that is no sample, such as a rate or a flag:
            {"sr": 16000} or "sr=16000". The file keeps such inputs, and nothing reads them.
        on_progress: called after every step.
        progress: whether to show the progress on a terminal or in a notebook, where `on_progress` is not given.
        command: what to show as the command that makes this run again, where it is not `stepforward adapt`.
        preset: "paper": every setting as in the paper that the method is from (`presets.PRESETS`), but for `options`.
        options: settings by name (docs/settings.md): train, bits, steps, minutes, directions, epsilon, lr, ...

    Returns:
        What `result.json` holds, as attributes and by name, and the network: `save`, `predict`, `plot`, `model`,
        `program` (see `Result`).

    Raises:
        StepforwardError: bad input, said before any work starts; or a disk that fills up.
    """
    if on_progress is None and progress:
        with watch(log=False) as on_progress:
            return adapt(
                model, data, test=test, out=out, resume=resume, overwrite=overwrite, classes=classes,
                image=image, preprocess=preprocess, input_shape=input_shape, output=output,
                fixed_inputs=fixed_inputs, on_progress=on_progress, command=command, preset=preset, **options,
            )  # fmt: skip
    settings = Settings(**with_preset(preset, options))
    needs = METHODS[settings.method].needs
    if resume and needs in (GRADIENTS, STATISTICS):
        raise StepforwardError(
            f"a run of {settings.method} cannot be resumed", "start the run without --resume"
        )
    if needs == STATISTICS:
        _only_known(settings.method, preset, options)
        return match(
            model, data, settings, test=test, out=out, overwrite=overwrite, classes=classes, image=image,
            preprocess=preprocess, input_shape=input_shape, output=output, fixed_inputs=fixed_inputs,
            on_progress=on_progress, command=command,
        )  # fmt: skip
    folder = run_folder(out, resume, overwrite)
    with claimed(folder, resume, overwrite):
        opened = open_source(model, input_shape, settings.runtime, output, fixed_inputs)
        prepared = prepare(opened, data, test, settings, classes, image, preprocess)
        result, made, program = run_adaptation(prepared, settings, folder, resume, overwrite, on_progress)
        said = given(prepared.opened, classes, image, preprocess)
        if input_shape is not None:
            said["input_shape"] = ",".join(map(str, prepared.opened.given_shape))
        said |= in_words(output, fixed_inputs)
        earlier = earlier_figures(folder, result.weights_sha256) if resume and folder else {}
        result = replace(result, **said, **earlier, command=command or None)
        if folder:
            write_run(folder, result, made, program)
    return Result(**values(result), model=made.for_callers, program=program)


def _only_known(method: str, preset: str | None, options: Collection[str]) -> None:
    """Refuse what a method that reads few settings would leave unread."""
    known = METHODS[method].takes
    unread = [f"--preset {preset}"] if preset else []
    unread += ["--" + name.replace("_", "-") for name in options if name not in (*known, "method")]
    if unread:
        told = ", ".join("--" + name for name in known)
        raise StepforwardError(
            f"{method} reads no {', '.join(unread)}", f"leave it out; {method} takes {told}"
        )
