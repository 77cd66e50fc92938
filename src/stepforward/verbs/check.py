"""Say whether a model can be adapted, what stands in the way, and what a device would need."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from stepforward.engines.core import device_inference_bytes
from stepforward.errors import StepforwardError
from stepforward.graph.metadata import get_class_names, get_notes, get_preprocessing
from stepforward.memory import memory, multiply_accumulates
from stepforward.models import Opened, load_graph, open_model, to_program
from stepforward.moving.select import select
from stepforward.program import fileformat
from stepforward.program.arena import plan_arena
from stepforward.program.model import Program
from stepforward.program.training_plan import fitting, plan_training
from stepforward.settings import Settings
from stepforward.sources.onnx.support import unsupported
from stepforward.sources.qdq.write import quantize


def check(model: Any, *, input_shape: str | Sequence[int] | None = None) -> dict:
    """Whether `adapt` takes a model, float or quantized, with everything that stands in the way at once.

    The bytes of a float model are those of its 16w8a form. They depend on shapes alone, so ramps stand in for the
    samples that choose the scales.

    Args:
        model: path to an `.onnx` file, or an `onnx_ir.Model`.
        input_shape: of one sample, (C, H, W), for a model that leaves height or width open.

    Returns:
        supported; problems: [{what, remedy}, ...]; bits, input_shape, class_names and preprocessing (None where the
        file does not say), notes; and where it is supported outputs, parameters, macs, flash_bytes (the program),
        ram_bytes_inference, ram_bytes_training (all parameters), operators: {kind: count}.

    Raises:
        StepforwardError: the file cannot be read as a model.
    """
    graph, source = load_graph(model, input_shape)
    found = {
        "model": source,
        "input_shape": _shape(graph),
        "class_names": get_class_names(graph) or None,
        "preprocessing": get_preprocessing(graph) or None,
    }
    problems = [{"what": f"{entry} is not supported", "remedy": entry.remedy} for entry in unsupported(graph)]
    if problems:
        return {"supported": False, "problems": problems, **found, "notes": get_notes(graph)}
    try:
        opened = open_model(model, input_shape)
        program = _program(opened)
    except StepforwardError as error:
        problems = [{"what": error.what, "remedy": error.remedy}]
        return {"supported": False, "problems": problems, **found, "notes": get_notes(graph)}
    notes = get_notes(opened.graph)
    return {
        "supported": True,
        "problems": [],
        **found,
        "bits": opened.bits,
        "outputs": opened.outputs,
        **_needs(program, opened.quantized, notes),
        "notes": notes,
    }


def _program(opened: Opened) -> Program:
    if opened.quantized:
        return to_program(opened)
    ramp = np.linspace(0, 1, 2 * int(np.prod(opened.input_shape)), dtype=np.float32)
    graph = quantize(opened.graph, ramp.reshape(2, *opened.input_shape))
    return to_program(Opened(graph, True, opened.preprocessing, opened.class_names, opened.source))


def _needs(program: Program, quantized: bool, notes: list[str]) -> dict:
    """What the network is made of and what a device must have for it; a plan that fits no number becomes a note."""
    settings, trainable = Settings(steps=1), select(program, "all")
    if not quantized:  # whether epsilon fits depends on scales, and these come from ramps
        settings = fitting(program, trainable, settings)
    try:
        bytes_of = memory(program, plan_training(program, trainable, settings))
        training = bytes_of["scratch_bytes_training"] + sum(bytes_of["other_ram"].values())
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


def _shape(graph: ir.Model) -> list[int] | None:
    shape = graph.graph.inputs[0].shape
    sizes = [] if shape is None else list(shape)[1:]
    return sizes if sizes and all(isinstance(size, int) for size in sizes) else None
