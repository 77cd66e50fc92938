"""Say which class a network sees in samples without labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepforward.data.function import Prepare
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run as run_float
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.run import follow as stream
from stepforward.run.complete import complete
from stepforward.run.given import Classes, Image
from stepforward.run.samples import files_of, read_samples
from stepforward.settings import Settings
from stepforward.sources.onnx.fixed_inputs import FixedInputs
from stepforward.sources.open import open_source
from stepforward.sources.source import Source


def predict(
    model: Any,
    samples: Any,
    *,
    top: int = 1,
    classes: Classes | None = None,
    image: Image | None = None,
    preprocess: str | Prepare | None = None,
    input_shape: str | Sequence[int] | None = None,
    output: str | None = None,
    fixed_inputs: FixedInputs | None = None,
    runtime: str = Settings.runtime,
    threads: int | None = None,
    follow: bool = False,
) -> list[dict]:
    """The classes a network sees, with probabilities; in integers for a quantized model, in float32 for a float one.

    Args:
        model: path to an ONNX or TensorFlow Lite file, or an `onnx_ir.Model`.
        samples: path or list of paths of images, sounds or `.npz` with `x`; or an array: network inputs
            (N, C, H, W) float, one of them (C, H, W), or uint8 images (N, H, W, C) for a model that reads images.
        top: how many classes to name for each sample, likeliest first.
        classes, image: what the model does not say of its classes and of images, as of `adapt`.
        input_shape: of one sample, (C, H, W), for a model that leaves height or width open.
        output, fixed_inputs: the name of the output that holds the logits, and numbers of inputs that are no samples,
            as of `adapt`.
        preprocess: a function that reads files, as of `adapt`.
        runtime: of an int8 file, as of `adapt`.
        threads: of the C core; default: all cores.
        follow: match a quantized model to the samples while it sees them, one after the other, as a device does.

    Returns:
        One dictionary per sample: source, class, probability (the softmax of the logits, 0 to 1), and top: the
        likeliest classes as [{class, probability}, ...].

    Raises:
        StepforwardError: bad model or samples, by name.
    """
    if top < 1:
        raise StepforwardError(f"top = {top}", "give 1 or more")
    opened, files = open_source(model, input_shape, runtime, output, fixed_inputs), files_of(samples)
    opened = complete(opened, files[0] if files else None, classes, image, preprocess)
    x, sources = read_samples(opened, files, samples)
    names = opened.class_names or tuple(str(number) for number in range(opened.outputs))
    return [
        _description(source, row, names, top)
        for source, row in zip(sources, _probabilities(opened, x, threads, follow), strict=True)
    ]


def _probabilities(
    opened: Source, x: NDArray[np.float32], threads: int | None, follow: bool
) -> NDArray[np.float64]:
    """Softmax of the logits, float64, shape (n, classes)."""
    if follow:
        found, program, _ = stream.follow(opened, x)
        logits = found * np.float64(program.tensors[program.output].scale[0])
    elif not opened.is_float:
        program = lower(opened.network())
        scale = program.tensors[program.output].scale[0]
        logits = logits_of(CoreEngine(program, threads=threads), quantize_input(program, x)) * np.float64(
            scale
        )
    else:
        logits = run_float(opened.float_model().graph, x).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _description(source: str, row: NDArray[np.float64], names: Sequence[str], top: int) -> dict:
    likeliest = np.argsort(-row, kind="stable")[:top]
    ranked = [{"class": names[index], "probability": float(row[index])} for index in likeliest]
    return {"source": source, **ranked[0], "top": ranked}
