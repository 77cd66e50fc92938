"""Open whatever the user has as a model: an ONNX or TensorFlow Lite file, an onnx_ir model, or a torch module."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import copy_model, is_quantized, logits_of
from stepforward.network.runtimes import RUNTIMES, of_files
from stepforward.sources.kept import KeptSource
from stepforward.sources.onnx.file import check_interface, load_onnx
from stepforward.sources.onnx.fixed_inputs import FixedInputs, fix_inputs, fixed_inputs_text
from stepforward.sources.onnx.input_shape import give_input_shape, parse_input_shape
from stepforward.sources.onnx.other_outputs import OtherOutputs, set_apart
from stepforward.sources.onnx.source import FloatSource, QdqSource
from stepforward.sources.ort.file import quantized_elsewhere
from stepforward.sources.ort.source import OrtSource
from stepforward.sources.source import Source
from stepforward.sources.tflite.file import IDENTIFIER, load_tflite
from stepforward.sources.tflite.source import TfliteSource
from stepforward.sources.tflite.to_onnx.model import is_float, to_onnx


def open_source(
    model: Any,
    input_shape: str | Sequence[int] | None = None,
    runtime: str | None = None,
    output: str | None = None,
    fixed_inputs: FixedInputs | None = None,
) -> Source:
    """Open a path to an `.onnx` or `.tflite` file, an `onnx_ir.Model`, or what `sources.torch.from_torch` gave.

    Args:
        model: one of these; a `Source` is returned as it is.
        input_shape: of one sample, (C, H, W) or "C,H,W", for a model that leaves sizes open.
        runtime: of an int8 file, whose integers its programs compute (`network.runtimes`); "auto" or None for the
            default.
        output: the name of the output that holds the logits, of a model with several (`sources.outputs`); with "only:"
            before it the others of a float model are left out.
        fixed_inputs: a number for each input of a float model that is no sample, "sr=16000", or by name.

    Raises:
        StepforwardError: the file is missing, damaged, or holds something unsupported.
    """
    runtime = None if runtime == "auto" else runtime
    if runtime is not None and runtime not in RUNTIMES:
        raise StepforwardError(f"runtime = {runtime!r}", f"choose one of {', '.join(RUNTIMES)}")
    if isinstance(model, KeptSource):
        _check_runtime(runtime, model.suffix)
        model = model if runtime in (None, model.runtime) else replace(model, runtime=runtime)
        return model if output in (None, model.output) else replace(model, output=output)
    if isinstance(model, Source):
        _check_runtime(runtime, "")
        return model
    shape = None if input_shape is None else parse_input_shape(input_shape)
    kept = kept_source(model, shape, runtime, output)
    if kept is not None and fixed_inputs:
        raise StepforwardError(f"{model} is returned with all its inputs", "leave --fixed-inputs out")
    if kept is None:
        _check_runtime(runtime, "")
        given = {} if shape is None else {"input_shape": ",".join(map(str, shape))}
        given |= in_words(output, fixed_inputs)
        options = [word for name in given for word in (f"--{name.replace('_', '-')}", given[name])]
        return replace(
            source_of(*load_graph(model, input_shape, output, fixed_inputs)), options=tuple(options)
        )
    if shape not in (None, kept.input_shape):
        raise StepforwardError(
            f"{model} reads samples of shape {kept.input_shape}", "leave --input-shape out"
        )
    return kept


def in_words(output: str | None, fixed_inputs: FixedInputs | None = None) -> dict[str, str]:
    """What was said of a model's outputs and inputs, by name of the option; without what was not."""
    said = {} if output is None else {"output": output}
    return said | ({"fixed_inputs": fixed_inputs_text(fixed_inputs)} if fixed_inputs else {})


def kept_source(
    model: Any,
    input_shape: tuple[int, ...] | None = None,
    runtime: str | None = None,
    output: str | None = None,
) -> KeptSource | None:
    """The source of a file that is in integers already and stays as it is but for these; None for any other model.

    Raises:
        StepforwardError: it holds something unsupported, or a runtime that does not run it is named.
    """
    if is_tflite(model):
        content = load_tflite(model)
        if is_float(content):
            return None
        _check_runtime(runtime, TfliteSource.suffix)
        return TfliteSource.of(content, str(model), runtime, output)
    file = quantized_elsewhere(model)
    if file is None:
        return None
    _check_runtime(runtime, OrtSource.suffix)
    name = (model.graph.name or "model") if isinstance(model, ir.Model) else str(model)
    return OrtSource.open(file, name, runtime, input_shape, output)


def _check_runtime(runtime: str | None, ending: str) -> None:
    """Refuse a runtime that does not run files of a kind; "" stands for those that name none."""
    known = of_files(ending)
    if runtime is None or runtime in known:
        return
    if known:
        raise StepforwardError(
            f"--runtime {runtime} runs {RUNTIMES[runtime].files} files, not {ending} files",
            f"choose one of {', '.join(known)}",
        )
    raise StepforwardError(
        f"--runtime {runtime}, but the model is no int8 file of another tool", "leave --runtime out"
    )


def is_tflite(model: Any) -> bool:
    """Whether it is the path of a TensorFlow Lite file, by its content."""
    if not isinstance(model, (str, Path)):
        return False
    try:
        if not Path(model).is_file():  # a pipe could be read for ever
            return False
        with Path(model).open("rb") as file:
            return file.read(8)[4:] == IDENTIFIER
    except (OSError, ValueError):
        return False


def source_of(graph: ir.Model, name: str, others: OtherOutputs | None) -> Source:
    """The source of what `load_graph` gave.

    Raises:
        StepforwardError: it holds something unsupported.
    """
    return QdqSource.of(graph, name) if is_quantized(graph) else FloatSource.of(graph, name, others)


def load_graph(
    model: Any,
    input_shape: str | Sequence[int] | None = None,
    output: str | None = None,
    fixed_inputs: FixedInputs | None = None,
) -> tuple[ir.Model, str, OtherOutputs | None]:
    """The graph as the file has it, how messages name it, and what its outputs besides the logits are for; arguments
    as of `open_source`, but no `Source`.

    Raises:
        StepforwardError: the file is missing or damaged, or it is not known which output holds the logits.
    """
    graph, name = _graph(model, input_shape, fixed_inputs)
    if is_quantized(graph):
        chosen = logits_of(graph).name
        if output not in (None, chosen):
            raise StepforwardError(
                f"{name} was quantized for its output {chosen!r}, not {output!r}",
                "leave --output out, or give the float model",
            )
        if fixed_inputs:
            raise StepforwardError(
                f"{name} is quantized, with its inputs as they are", "leave --fixed-inputs out"
            )
        return graph, name, None
    graph, others = set_apart(graph, output, name)
    return graph, name, others


def _graph(
    model: Any, input_shape: str | Sequence[int] | None, fixed_inputs: FixedInputs | None
) -> tuple[ir.Model, str]:
    if isinstance(model, (str, Path)) and Path(model).suffix == ".sfp":
        raise StepforwardError(
            f"{model} is a program, which only devices and `stepforward inspect` read",
            "give the .onnx file it was made from: adapted.onnx lies next to adapted.sfp",
        )
    shape = None if input_shape is None else parse_input_shape(input_shape)
    if is_tflite(model):
        name = str(model)
        graph = to_onnx(load_tflite(model), name)
        fix_inputs(graph, fixed_inputs, name)
        give_input_shape(graph, shape, name)
        check_interface(graph, name)
        return graph, name
    if isinstance(model, (str, Path)):
        return load_onnx(model, shape, fixed_inputs), str(model)
    if isinstance(model, ir.Model):
        name = model.graph.name or "model"
        if shape is not None or fixed_inputs:
            model = copy_model(model)
            fix_inputs(model, fixed_inputs, name)
            give_input_shape(model, shape, name)
        return model, name
    raise StepforwardError(
        f"stepforward cannot open a {type(model).__name__} as a model",
        "give the path of an .onnx file or an onnx_ir.Model; from_torch makes one of a torch module",
    )
