"""Measure a model on labelled data."""

import time
from collections.abc import Sequence
from typing import Any

from stepforward.data.function import Prepare
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.graph.forward import run as run_float
from stepforward.inputs import quantize_input
from stepforward.intervals import wilson
from stepforward.lowering.lower import lower
from stepforward.run import follow as stream
from stepforward.run.complete import complete, doubt, given
from stepforward.run.given import Classes, Image
from stepforward.run.notes import one_sided
from stepforward.run.prepare import load_data
from stepforward.scores import score, score_float
from stepforward.settings import Settings
from stepforward.sources.onnx.fixed_inputs import FixedInputs
from stepforward.sources.open import open_source


def evaluate(
    model: Any,
    data: Any,
    *,
    classes: Classes | None = None,
    image: Image | None = None,
    preprocess: str | Prepare | None = None,
    input_shape: str | Sequence[int] | None = None,
    output: str | None = None,
    fixed_inputs: FixedInputs | None = None,
    runtime: str = Settings.runtime,
    threads: int | None = None,
    follow: bool = False,
) -> dict:
    """Accuracy, loss and confusion matrix; in integers for a quantized model, in float32 for a float one.

    Args:
        model: path to an ONNX or TensorFlow Lite file, or an `onnx_ir.Model`.
        data: folder, `.npz`, CSV, `Dataset`, or (x, y) arrays.
        classes, image: what the model does not say of its classes and of images, as of `adapt`.
        preprocess: a function that reads files, as of `adapt`.
        input_shape: of one sample, (C, H, W), for a model that leaves height or width open.
        output, fixed_inputs: the name of the output that holds the logits, and numbers of inputs that are no samples,
            as of `adapt`.
        runtime: of an int8 file, as of `adapt`.
        threads: of the C core; default: all cores.
        follow: match a quantized model to the samples while it sees them, one after the other, without their labels, as
            a device does: each is seen with what those before it led to. In the order of the data, which for folders is
            class by class.

    Returns:
        accuracy, accuracy_interval (95 %), mean_recall (every class counts alike), correct, count, loss (nats per
        sample), confusion (rows are true classes), class_names, bits, runtime (None for the contract's own integers),
        notes, seconds, weights_sha256 (None for a float model).

    Raises:
        StepforwardError: bad model or data.
    """
    opened = complete(
        open_source(model, input_shape, runtime, output, fixed_inputs), data, classes, image, preprocess
    )
    dataset = load_data(opened, data, "test")
    started, sha, notes = time.monotonic(), None, []
    if follow:
        followed = stream.follow(opened, dataset.x)
        result, notes = score(followed.program, followed.logits, dataset.y), [followed.note]
        sha = followed.program.weights_sha256
    elif not opened.is_float:
        program = lower(opened.network())
        logits = logits_of(CoreEngine(program, threads=threads), quantize_input(program, dataset.x))
        result, sha = score(program, logits, dataset.y), program.weights_sha256
    else:
        logits = run_float(opened.float_model().graph, dataset.x)
        result = score_float(logits, dataset.y)
    return {
        "accuracy": result.accuracy,
        "accuracy_interval": list(wilson(result.correct, result.count)),
        "mean_recall": result.mean_recall,
        "correct": result.correct,
        "count": result.count,
        "loss": result.nats,
        "confusion": result.confusion.tolist(),
        "class_names": list(dataset.class_names),
        "bits": opened.bits,
        "runtime": None if opened.runs_as == "auto" else opened.runs_as,
        "weights_sha256": sha,
        "notes": [
            *opened.notes,
            *dataset.notes,
            *notes,
            *one_sided(dataset, "samples"),
            *doubt(opened, result.confusion),
        ],
        **given(opened, classes, image, preprocess),
        "seconds": time.monotonic() - started,
    }
