"""Turn a float network into integers, with ranges seen on the user's data."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.files import refuse_to_replace
from stepforward.frontend.onnx import save_onnx
from stepforward.models import Opened, open_model
from stepforward.quantization.formats import QuantizationSettings
from stepforward.quantization.qdq import quantize as quantize_graph
from stepforward.run.complete import complete
from stepforward.run.given import Classes, Image
from stepforward.run.prepare import load_data


def quantize(
    model: Any,
    data: Any,
    *,
    bits: str = "16w8a",
    calibration: str = "minmax",
    symmetric: bool = False,
    classes: Classes | None = None,
    image: Image | None = None,
    input_shape: str | Sequence[int] | None = None,
    out: str | Path | None = None,
    on_note: Callable[[str], None] | None = None,
) -> ir.Model:
    """Choose a fixed-point format for every tensor of a float network.

    Args:
        model: path to a float ONNX file, or an `onnx_ir.Model`.
        data: samples that cover what the network will see: folder, `.npz`, CSV, `Dataset`, or a float32 array.
        bits: of weights and activations, such as "16w8a" or "8w8a".
        calibration: "minmax", "percentile" or "mse".
        symmetric: zero points of 0 everywhere, as in the paper.
        classes, image: what the model does not say of its classes and of images, as of `adapt`; the result says it.
        input_shape: of one sample, (C, H, W), for a model that leaves height or width open.
        out: where to write the result.
        on_note: called with every sentence a person should know about the data.

    Returns:
        An ordinary QDQ model: ONNX Runtime runs it, Netron opens it.

    Raises:
        StepforwardError: bad model or data, or a model that is quantized already.
    """
    refuse_to_replace(out, model, data)
    opened = open_model(model, input_shape)
    if opened.quantized:
        raise StepforwardError(
            f"{opened.source} is quantized already ({opened.bits})", "give the float model"
        )
    settings = QuantizationSettings.parse(bits, method=calibration, symmetric=symmetric)
    opened = complete(opened, data, classes, image)
    x, notes = _samples(opened, data)
    for note in notes if on_note else ():
        on_note(note)
    graph = quantize_graph(opened.graph, x, settings)
    if out is not None:
        save_onnx(graph, out)
    return graph


def _samples(opened: Opened, data: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    if isinstance(data, np.ndarray):
        return data, ()
    dataset = load_data(opened, data, "test")
    return dataset.x, dataset.notes
