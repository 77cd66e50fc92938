"""Say which class a network sees in samples without labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepforward.data import preprocessing as prep
from stepforward.data.arrays import check_samples, read_samples
from stepforward.data.function import Prepare
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run as run_float
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.run.complete import complete, own_settings, settings_of
from stepforward.run.given import Classes, Image
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
    threads: int | None = None,
) -> list[dict]:
    """The classes a network sees, with probabilities; in integers for a quantized model, in float32 for a float one.

    Args:
        model: path to an ONNX file, or an `onnx_ir.Model`.
        samples: path or list of paths of images, sounds or `.npz` with `x`; or an array: network inputs
            (N, C, H, W) float, one of them (C, H, W), or uint8 images (N, H, W, C) for a model that reads images.
        top: how many classes to name for each sample, likeliest first.
        classes, image: what the model does not say of its classes and of images, as of `adapt`.
        input_shape: of one sample, (C, H, W), for a model that leaves height or width open.
        preprocess: a function that reads files, as of `adapt`.
        threads: of the C core; default: all cores.

    Returns:
        One dictionary per sample: source, class, probability (the softmax of the logits, 0 to 1), and top: the
        likeliest classes as [{class, probability}, ...].

    Raises:
        StepforwardError: bad model or samples, by name.
    """
    if top < 1:
        raise StepforwardError(f"top = {top}", "give 1 or more")
    opened, files = open_source(model, input_shape), _files(samples)
    opened = complete(opened, files[0] if files else None, classes, image, preprocess)
    if files:
        parts = [_from_file(opened, file) for file in files]
        x = np.concatenate([part for part, _ in parts])
        sources = [source for _, names in parts for source in names]
    else:
        x = _from_array(opened, np.asarray(samples))
        sources = [f"sample {row}" for row in range(len(x))]
    names = opened.class_names or tuple(str(number) for number in range(opened.outputs))
    return [
        _description(source, row, names, top)
        for source, row in zip(sources, _probabilities(opened, x, threads), strict=True)
    ]


def _files(samples: Any) -> list[Path]:
    """The paths in `samples`; [] for arrays."""
    if isinstance(samples, (str, Path)):
        return [Path(samples)]
    if isinstance(samples, np.ndarray):
        return []
    items = list(samples)
    if not items:
        raise StepforwardError("there are no samples", "give files or an array")
    return [Path(item) for item in items] if all(isinstance(item, (str, Path)) for item in items) else []


def _from_file(opened: Source, file: Path) -> tuple[NDArray[np.float32], list[str]]:
    settings = settings_of(opened)
    if file.is_dir():
        raise StepforwardError(f"{file} is a folder", f"give files, such as {file}/*.png")
    if not file.exists():
        raise StepforwardError(f"{file} does not exist", "check the path")
    if file.suffix.lower() == ".npz" and opened.prepare is None:
        x = read_samples(file, settings, opened.input_shape)
        return x, [f"{file}[{row}]" for row in range(len(x))]
    return prep.apply(settings, prep.read(settings, file))[None], [str(file)]


def _from_array(opened: Source, x: NDArray) -> NDArray[np.float32]:
    settings = own_settings(opened)
    one = opened.input_shape if x.dtype.kind == "f" else ()
    if x.shape == one or (x.ndim == 3 and x.dtype == np.uint8):
        x = x[None]
    return check_samples("the samples", x, settings, opened.input_shape)


def _probabilities(opened: Source, x: NDArray[np.float32], threads: int | None) -> NDArray[np.float64]:
    """Softmax of the logits, float64, shape (n, classes)."""
    if not opened.is_float:
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
