"""Inputs that are no samples, such as a rate or a flag: they hold one number, always, and are constants of the network.

A file that is written back has them again, with that number as a default: whoever feeds them may go on doing so.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.metadata import get_fixed_inputs, set_fixed_inputs
from stepforward.graph.nodes import copy_model, present, unused_name, value_names

FixedInputs = Mapping[str, float] | str
"""A number for each name, or "sr=16000,flag=1"."""


def parse_fixed_inputs(given: FixedInputs | None) -> dict[str, float]:
    """The number of each input.

    >>> parse_fixed_inputs("sr=16000,flag=1")
    {'sr': 16000.0, 'flag': 1.0}

    Raises:
        StepforwardError: it is not a list of names with numbers.
    """
    pairs = (
        dict(part.rpartition("=")[::2] for part in given.split(","))
        if isinstance(given, str)
        else given or {}
    )
    try:
        numbers = {str(name).strip(): float(value) for name, value in pairs.items()}
    except (TypeError, ValueError):
        numbers = {"": 0.0}
    if "" in numbers or not np.isfinite(list(numbers.values())).all():
        raise StepforwardError(
            f"the fixed inputs {given!r} are not names with numbers", "write them as sr=16000,flag=1"
        )
    return numbers


def fixed_inputs_text(given: FixedInputs) -> str:
    """The same as one word."""
    return ",".join(f"{name}={number:.17g}" for name, number in parse_fixed_inputs(given).items())


def fix_inputs(model: ir.Model, given: FixedInputs | None, source: str) -> None:
    """Give some inputs of a model a default, every element of it being one number, and put them after the others.

    A size that is open, such as the batch, becomes 1.

    Args:
        source: how messages name the model.

    Raises:
        StepforwardError: there is no such input, none is left for samples, or a number does not fit the type.
    """
    graph, numbers = model.graph, parse_fixed_inputs(given)
    for name, number in numbers.items():
        value = next((value for value in graph.inputs if value.name == name), None)
        if value is None or all(other.name in numbers for other in graph.inputs):
            raise StepforwardError(
                f"{source} has no input {name!r} besides that of samples; it has {listed(graph.inputs)}",
                "give the name of one of these to --fixed-inputs, and leave that of samples out",
            )
        shape, dtype = (
            [size if isinstance(size, int) else 1 for size in value.shape or ()],
            present(value.dtype),
        )
        with np.errstate(invalid="ignore"):
            array = np.full(shape, number).astype(dtype.numpy())
        if not dtype.is_floating_point() and not (array == number).all():
            raise StepforwardError(
                f"input {name!r} of {source} is {dtype.name}, and {number:g} is not",
                "give a number of that type",
            )
        graph.initializers.pop(name, None)
        graph.inputs.remove(value)
        graph.inputs.append(value)
        _set_default(graph, value, ir.tensor(array, dtype=dtype, name=name))
    if numbers:
        set_fixed_inputs(model, list(numbers))


def fixed_inputs(model: ir.Model) -> tuple[ir.Value, ...]:
    """The inputs that `fix_inputs` gave a default, now or before the model was written."""
    names = get_fixed_inputs(model)
    return tuple(v for v in model.graph.inputs if v.name in names and v.name in model.graph.initializers)


def with_fixed_inputs(model: ir.Model, fixed: tuple[ir.Value, ...]) -> ir.Model:
    """A copy that has these inputs, which nothing reads, after its own; each with its number as a default."""
    if not fixed:
        return model
    model = copy_model(model)
    for value in fixed:
        _give_way(model.graph, present(value.name))
        again = ir.Value(name=value.name, type=ir.TensorType(present(value.dtype)))
        model.graph.inputs.append(again)
        _set_default(model.graph, again, present(value.const_value))
    return model


def _give_way(graph: ir.Graph, name: str) -> None:
    """Another name for a constant of the network that was this input: a function still reads it."""
    constant = graph.initializers.pop(name, None)
    if constant is not None:
        constant.name = unused_name(f"{name}.fixed", value_names(graph))
        graph.register_initializer(constant)


def _set_default(graph: ir.Graph, value: ir.Value, tensor: Any) -> None:
    value.shape, value.const_value = ir.Shape(tensor.shape), tensor
    graph.register_initializer(value)


def listed(inputs: Iterable[ir.Value]) -> str:
    """How messages list inputs: each with its shape, and its type where it is not float32."""
    return ", ".join(_described(value) for value in inputs) or "none"


def _size(size: Any) -> str:
    return str(size) if isinstance(size, int) or size.value is not None else "?"


def _described(value: ir.Value) -> str:
    sizes = ", ".join(_size(size) for size in value.shape) if value.shape is not None else "of unknown shape"
    kind = "" if value.dtype in (None, ir.DataType.FLOAT) else f" {present(value.dtype).name}"
    return f"{value.name!r} ({sizes}){kind}"
