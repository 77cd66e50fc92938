"""Turn a float network into integers, with ranges seen on the user's data."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx_ir as ir

from stepforward.data.dataset import Dataset
from stepforward.data.function import Prepare
from stepforward.errors import StepforwardError
from stepforward.files import refuse_to_replace
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.matching.measure import MOST_SAMPLES, references
from stepforward.matching.words import to_words
from stepforward.program import fileformat
from stepforward.program.model import Program
from stepforward.quantization.formats import AUTO, QuantizationSettings, names
from stepforward.run.complete import complete
from stepforward.run.fidelity import Fidelity, fidelity, fidelity_notes
from stepforward.run.given import Classes, Image
from stepforward.run.prepare import load_data
from stepforward.run.samples import read_samples
from stepforward.sources.onnx.file import check_name
from stepforward.sources.onnx.fixed_inputs import FixedInputs
from stepforward.sources.open import open_source
from stepforward.sources.source import Source


class Quantization(NamedTuple):
    """What quantizing gave.

    Attributes:
        source: the quantized model.
        program: what devices run.
        fidelity: the float network's answers against the integers' (`run.fidelity`).
        notes: what a person should know about model and data; those about the model are also in its metadata.
    """

    source: Source
    program: Program
    fidelity: Fidelity
    notes: list[str]


def quantize(
    model: Any,
    data: Any,
    *,
    bits: str = "16w8a",
    calibration: str = "minmax",
    wide: str = AUTO,
    symmetric: bool = False,
    classes: Classes | None = None,
    image: Image | None = None,
    preprocess: str | Prepare | None = None,
    input_shape: str | Sequence[int] | None = None,
    output: str | None = None,
    fixed_inputs: FixedInputs | None = None,
    out: str | Path | None = None,
    on_note: Callable[[str], None] | None = None,
) -> ir.Model:
    """Choose a fixed-point format for every tensor of a float network.

    Args:
        model: path to a float ONNX or TensorFlow Lite file, or an `onnx_ir.Model`.
        data: samples that cover what the network will see: folder, `.npz`, CSV, `Dataset`, or a float32 array.
        bits: of weights and activations, such as "16w8a" or "8w8a".
        calibration: "minmax", "percentile" or "mse".
        wide: activations that get 16 bits in place of 8, by name or pattern, with commas in between; `auto` stands for
            the input, or all that can, where 8 bits cost too much.
        symmetric: zero points of 0 everywhere, as in the paper.
        classes, image: what the model does not say of its classes and of images, as of `adapt`; the result says it.
        preprocess: a function that reads files, as of `adapt`.
        input_shape: of one sample, (C, H, W), for a model that leaves height or width open.
        output, fixed_inputs: the name of the output that holds the logits, and numbers of inputs that are no samples,
            as of `adapt`.
        out: where to write the result.
        on_note: called with every sentence a person should know about model and data, such as a loss of accuracy.

    Returns:
        An ordinary QDQ model: ONNX Runtime runs it, Netron opens it. What was noted about it is in its metadata, and
        what its activations are on the data, which `adapt --method match` goes back to.

    Raises:
        StepforwardError: bad model or data, or a model that is quantized already.
    """
    result = quantize_measured(
        model,
        data,
        bits=bits,
        calibration=calibration,
        wide=wide,
        symmetric=symmetric,
        classes=classes,
        image=image,
        preprocess=preprocess,
        input_shape=input_shape,
        output=output,
        fixed_inputs=fixed_inputs,
        out=out,
    )
    if on_note is not None:
        for note in result.notes:
            on_note(note)
    return result.source.model


def quantize_measured(
    model: Any,
    data: Any,
    *,
    bits: str = "16w8a",
    calibration: str = "minmax",
    wide: str = AUTO,
    symmetric: bool = False,
    classes: Classes | None = None,
    image: Image | None = None,
    preprocess: str | Prepare | None = None,
    input_shape: str | Sequence[int] | None = None,
    output: str | None = None,
    fixed_inputs: FixedInputs | None = None,
    out: str | Path | None = None,
    program_out: str | Path | None = None,
) -> Quantization:
    """`quantize`, with everything there is to say about the result.

    Nothing is written before the result has been lowered and run: a failure leaves no file.

    Args:
        program_out: where to write the `.sfp` program.
        Others as of `quantize`.

    Raises:
        StepforwardError: bad model or data, or a model that is quantized already.
    """
    refuse_to_replace(out, model, data)
    refuse_to_replace(program_out, model, data)
    if out is not None:
        check_name(out)
    source = open_source(model, input_shape, output=output, fixed_inputs=fixed_inputs)
    if not source.is_float:
        raise StepforwardError(f"{source.name} is quantized already ({source.bits})", "give the float model")
    settings = QuantizationSettings.parse(bits, method=calibration, symmetric=symmetric, wide=names(wide))
    source = complete(source, data, classes, image, preprocess)
    dataset = None if isinstance(data, np.ndarray) else load_data(source, data, "test")
    x = read_samples(source, [], data)[0] if dataset is None else dataset.x
    result = _quantized(source, x, dataset, settings)
    _write(result, out, program_out)
    return result


def _write(result: Quantization, out: str | Path | None, program_out: str | Path | None) -> None:
    """Both files or neither."""
    new = program_out is not None and not Path(program_out).exists()
    if program_out is not None:
        fileformat.save(result.program, program_out)
    try:
        if out is not None:
            result.source.save(out)
    except StepforwardError:
        if new and program_out is not None:
            Path(program_out).unlink()
        raise


def _quantized(
    given: Source, x: np.ndarray, dataset: Dataset | None, settings: QuantizationSettings
) -> Quantization:
    made = given.quantized(settings, x, None if dataset is None else dataset.sources)
    program = lower(made.network())
    figures = fidelity(given, program, x, None if dataset is None else dataset.y)
    samples = quantize_input(program, x)
    made = made.with_words(
        notes=fidelity_notes(figures, str(settings)),
        statistics=to_words(references(program, samples), min(len(x), MOST_SAMPLES)),
    )
    notes = [*made.notes, *(() if dataset is None else dataset.notes)]
    return Quantization(made, program, figures, notes)
