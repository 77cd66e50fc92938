"""Say what a model is made of and what it will need, before any work."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from stepforward.engines.core import default_threads, open_program
from stepforward.engines.host_memory import CHOICES, even_block, host_memory
from stepforward.engines.matching import device_matching_bytes
from stepforward.errors import StepforwardError
from stepforward.inputs import sample_axes
from stepforward.lowering.lower import lower
from stepforward.memory import memory, multiply_accumulates
from stepforward.moving.select import select
from stepforward.plan.make import fitting, plan_training, training_arena
from stepforward.plan.model import TrainingPlan
from stepforward.plan.quanta import quanta
from stepforward.program import fileformat
from stepforward.program.arena import arena_floor, plan_arena
from stepforward.program.checks import table_of
from stepforward.program.model import Op, Program
from stepforward.run.follow import matching_plan
from stepforward.settings import Settings
from stepforward.sources.open import open_source
from stepforward.sources.source import Source


def inspect(
    model: Any,
    *,
    train: str = "all",
    sizes: str = Settings.sizes,
    epsilon: float | None = None,
    lr: float | None = None,
    runtime: str = Settings.runtime,
    output: str | None = None,
) -> dict:
    """Operators, formats, multiply-accumulates, trainable tensors and memory of a quantized model.

    Args:
        model: path to a quantized `.onnx`, a `.tflite` or a `.sfp` file, an `onnx_ir.Model`, or a `Program`.
        train: trainable set the training figures are for.
        sizes: for `quanta`: what epsilon and lr are measured in, "absolute", "relative" or "kernel".
        epsilon: for `quanta`: how many quanta a probe moves a weight at z = 1; the default of `adapt` if None.
        lr: for `quanta`: the same for a step.
        runtime: of an int8 file, as of `adapt`.
        output: the name of the output that holds the logits, of a file with several.

    Returns:
        A dictionary of plain values; see the command `stepforward inspect --json`.

    Raises:
        StepforwardError: the model is damaged, or is a float model.
    """
    opened = None if _is_program(model) else open_source(model, runtime=runtime, output=output)
    program = _program(model) if opened is None else lower(opened.network())
    settings = Settings(train=train, steps=1, sizes=sizes, runtime=runtime)
    if epsilon is not None:
        settings = replace(settings, epsilon=epsilon)
    if lr is not None:
        settings = replace(settings, lr=lr)
    chosen = select(program, train)
    settings, notes = _that_fit(program, chosen, settings)
    plan = plan_training(program, chosen, settings)
    trained = [program.tensors[entry.tensor].name for entry in plan.trainable]
    stored = program.tensors[program.input].shape
    ops = [_op(program, op) for op in program.ops]
    return {
        "name": program.metadata.get("name", ""),
        "bits": program.metadata.get("bits", "custom"),
        "runtime": program.metadata.get("runtime"),
        "class_names": program.metadata.get("class_names"),
        "preprocessing": program.metadata.get("preprocessing"),
        "input_shape": [stored[axis] for axis in sample_axes(program)[0]],
        "inputs": program.metadata.get("inputs"),
        "table": _table(program),
        "ops": ops,
        "macs": sum(op["macs"] for op in ops),
        "parameters": sum(tensor.elements for tensor in program.parameters),
        "train": train,
        "trainable": trained,
        "trainable_parameters": plan.elements,
        "weights_sha256": program.weights_sha256,
        **asdict(memory(program, plan)),
        "granted": _granted(program, chosen, settings),
        "following": _following(opened, program),
        "arena_bytes": plan_arena(program).arena_bytes,
        "arena_floor_bytes": arena_floor(program),
        "host": _host(program, plan, settings.batch),
        "cut": plan.first_op,
        "exact": [program.tensors[entry.tensor].name for entry in plan.trainable[len(plan.voted) :]],
        "quanta": {name: list(pair) for name, pair in quanta(program, plan).items()},
        "notes": notes,
    }


def _table(program: Program) -> dict | None:
    """What token ids are looked up in; None where samples are given as they are read."""
    table = table_of(program)
    return None if table is None else {"name": table.name, "ids": table.shape[0], "bytes": table.bytes}


def _that_fit(program: Program, trainable: Sequence[int], settings: Settings) -> tuple[Settings, list[str]]:
    """Settings the model can be trained with, and a note where they are not those that were asked for."""
    try:
        plan_training(program, trainable, settings)
    except StepforwardError as error:
        lower = fitting(program, trainable, settings)
        if lower == settings:
            raise
        return lower, [f"{error.what}, and adapt will refuse it: {error.remedy}"]
    return settings, []


GRANTED: dict[str, dict[str, Any]] = {
    "--momentum": {"momentum": 0.9},
    "--guide": {"guide": 0.5},
    "--optimizer adam": {"optimizer": "adam"},
    "--tail exact": {"tail": "exact"},
}
"""Settings that take RAM for what a step leaves for the next one."""


def _granted(program: Program, trainable: Sequence[int], settings: Settings) -> dict[str, int]:
    """Bytes of state that each of them adds; without those that it has no room or place for, or already."""
    without, found = plan_training(program, trainable, settings).state_bytes, {}
    for option, changes in GRANTED.items():
        try:
            more = plan_training(program, trainable, replace(settings, **changes)).state_bytes - without
        except StepforwardError:
            continue
        if more > 0:  # 0: the settings have it already
            found[option] = more
    return found


def _host(program: Program, plan: TrainingPlan, batch: int) -> dict:
    """What each choice of `--memory` costs on this machine, with all its threads."""
    program, threads = training_arena(program, plan), default_threads()
    handle, _file = open_program(program)
    probes = 1 + plan.directions if plan.curve else 2 * plan.directions
    together = -(-batch // plan.directions) if plan.share_batch else batch
    result: dict[str, Any] = {"threads": threads, "batch": batch}
    for choice in CHOICES:
        planned = host_memory(handle, plan, choice)
        block = even_block(planned.block, together * probes, threads)
        blocks = -(-together // min(block, together)) if choice == "small" else 1
        result[choice] = {"bytes": planned.total(threads), "packed_per_step": blocks * probes}
    return result


def _is_program(model: Any) -> bool:
    return isinstance(model, Program) or (isinstance(model, (str, Path)) and Path(model).suffix == ".sfp")


def _program(model: Any) -> Program:
    return model if isinstance(model, Program) else fileformat.load(model)


def _following(opened: Source | None, program: Program) -> dict | None:
    """What a device needs to match statistics while it uses the network; None where the model has none."""
    if opened is None or not opened.statistics.get("sites"):
        return None
    plan = matching_plan(opened, program)
    return {
        "sites": len(plan.sites),
        "channels": sum(len(site.mean) for site in plan.sites),
        "state_bytes": plan.state_bytes,
        "scratch_bytes": device_matching_bytes(program),
    }


def _op(program: Program, op: Op) -> dict:
    parameters = [program.tensors[index] for index in op.parameters]
    output = program.tensors[op.output]
    weights = f" x {parameters[0].dtype}" if parameters else ""
    return {
        "kind": op.kind,
        "name": op.name,
        "output_shape": list(output.shape),
        "format": f"{program.tensors[op.inputs[0]].dtype}{weights} -> {output.dtype}",
        "macs": multiply_accumulates(program, op),
        "parameters": sum(tensor.elements for tensor in parameters),
        "weight_bytes": sum(tensor.bytes for tensor in parameters),
        "trainable": [tensor.name for tensor in parameters],
    }
