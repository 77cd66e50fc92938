"""Say whether a model can be adapted, what stands in the way, and what a device would need."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from stepforward.engines.core import device_inference_bytes
from stepforward.errors import StepforwardError
from stepforward.graph.metadata import get_class_names, get_notes, get_preprocessing
from stepforward.graph.nodes import sample_inputs
from stepforward.graph.parts import shapes_of
from stepforward.lowering.lower import lower
from stepforward.memory import memory, multiply_accumulates
from stepforward.moving.select import select
from stepforward.plan.make import fitting, plan_training
from stepforward.program import fileformat
from stepforward.program.arena import plan_arena
from stepforward.program.model import Program
from stepforward.quantization.formats import QuantizationSettings
from stepforward.settings import Settings
from stepforward.sources.onnx.fixed_inputs import FixedInputs
from stepforward.sources.onnx.input_shape import parse_input_shape
from stepforward.sources.onnx.support import unsupported
from stepforward.sources.onnx.tokens import take_off
from stepforward.sources.open import in_words, kept_source, load_graph, source_of
from stepforward.sources.source import Source


def check(
    model: Any,
    *,
    input_shape: str | Sequence[int] | None = None,
    output: str | None = None,
    fixed_inputs: FixedInputs | None = None,
) -> dict:
    """Whether `adapt` takes a model, float or quantized, with everything that stands in the way at once.

    The bytes of a float model are those of its 16w8a form. They depend on shapes alone, so ramps stand in for the
    samples that choose the scales.

    Args:
        model: path to an `.onnx` or `.tflite` file, or an `onnx_ir.Model`.
        input_shape: of one sample, (C, H, W), for a model that leaves height or width open.
        output, fixed_inputs: the name of the output that holds the logits, and numbers of inputs that are no samples,
            as of `adapt`.

    Returns:
        supported; problems: [{what, remedy}, ...]; output and fixed_inputs (where they were given), bits, input_shape,
        class_names and preprocessing (None where the file does not say), notes; and where it is supported outputs,
        parameters, macs, flash_bytes (the program), ram_bytes_inference, ram_bytes_training (all parameters),
        operators: {kind: count}.

    Raises:
        StepforwardError: the file cannot be read as a model.
    """
    try:
        shape = None if input_shape is None else parse_input_shape(input_shape)
        kept = kept_source(model, shape, output=output)
    except StepforwardError as error:
        return _refused(model, error)
    if kept is not None:
        return _kept(kept, output)
    graph, name, others = load_graph(model, input_shape, output, fixed_inputs)
    found = {
        "model": name,
        "input_shape": _shape(graph),
        **_inputs(graph),
        "class_names": get_class_names(graph) or None,
        "preprocessing": get_preprocessing(graph) or None,
        **in_words(output, fixed_inputs),
    }
    try:
        body, _ = take_off(graph, name)
        problems = [
            {"what": f"{entry} is not supported", "remedy": entry.remedy} for entry in unsupported(body)
        ]
        if problems:
            return {"supported": False, "problems": problems, **found, "notes": get_notes(graph)}
        source = source_of(graph, name, others)
        program = _program(source)
    except StepforwardError as error:
        problems = [{"what": error.what, "remedy": error.remedy}]
        return {"supported": False, "problems": problems, **found, "notes": get_notes(graph)}
    return _supported(source, program, found)


def _refused(model: Any, error: StepforwardError) -> dict:
    found = dict.fromkeys(("input_shape", "class_names", "preprocessing"))
    name = (model.graph.name or "model") if isinstance(model, ir.Model) else str(model)
    problems = [{"what": error.what, "remedy": error.remedy}]
    return {"supported": False, "problems": problems, "model": name, **found, "notes": []}


def _kept(source: Source, output: str | None) -> dict:
    """The same of a file in integers that another tool wrote."""
    found = {
        "model": source.name,
        "input_shape": list(source.input_shape),
        "class_names": list(source.class_names) if source.class_names else None,
        "preprocessing": source.preprocessing,
        **in_words(output),
    }
    try:
        program = lower(source.network())
    except StepforwardError as error:
        return _refused(source.name, error)
    return _supported(source, program, found)


def _supported(source: Source, program: Program, found: dict) -> dict:
    notes = source.notes
    return {
        "supported": True,
        "problems": [],
        **found,
        "bits": source.bits,
        "outputs": source.outputs,
        **_needs(program, not source.is_float, notes),
        "notes": notes,
    }


def _program(source: Source) -> Program:
    if source.is_float:
        ramp = np.linspace(0, 1, 2 * int(np.prod(source.input_shape)), dtype=np.float32)
        source = source.quantized(QuantizationSettings(), ramp.reshape(2, *source.input_shape))
    return lower(source.network())


def _needs(program: Program, quantized: bool, notes: list[str]) -> dict:
    """What the network is made of and what a device must have for it; a plan that fits no number becomes a note."""
    settings, trainable = Settings(steps=1), select(program, "all")
    if not quantized:  # whether epsilon fits depends on scales, and these come from ramps
        settings = fitting(program, trainable, settings)
    try:
        bytes_of = memory(program, plan_training(program, trainable, settings))
        training = bytes_of.scratch_bytes_training + sum(bytes_of.other_ram.values())
    except StepforwardError as error:
        notes.append(f"no training plan with the default settings: {error.what}; {error.remedy}")
        training = None
    return {
        "parameters": sum(tensor.elements for tensor in program.parameters),
        "macs": sum(multiply_accumulates(program, op) for op in program.ops),
        "operators": dict(Counter(op.kind for op in program.ops)),
        "flash_bytes": len(fileformat.to_bytes(program)),
        "ram_bytes_inference": device_inference_bytes(plan_arena(program))
        + program.tensors[program.input].bytes,
        "ram_bytes_training": training,
    }


def _inputs(graph: ir.Model) -> dict:
    """The inputs where there are several."""
    parts = sample_inputs(graph.graph)
    if len(parts) < 2:
        return {}
    return {"inputs": [part.words for part in shapes_of(parts)]}


def _shape(graph: ir.Model) -> list[int] | None:
    if len(sample_inputs(graph.graph)) > 1:
        return None
    shape = graph.graph.inputs[0].shape
    sizes = [] if shape is None else list(shape)[1:]
    known = [size for size in sizes if isinstance(size, int)]
    return known if sizes and len(known) == len(sizes) else None
