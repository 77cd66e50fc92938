"""What a program read from a file must hold besides what the core checks: names, scales, every tensor written once."""

from typing import Any

from stepforward.program.model import Program, Tensor

_TEXT = ("name", "bits")


def check_metadata(metadata: Any, tensors: int, ops: int) -> tuple[list[dict], list[str]]:
    """Take the records of tensors and the names of operators out of a program's metadata.

    Args:
        metadata: the JSON value; what stays in it is what the program's `metadata` holds.
        tensors, ops: how many there are.

    Raises:
        ValueError: the metadata are not those of a program.
    """
    if not isinstance(metadata, dict):
        raise ValueError("its metadata are not a JSON object")
    for name in _TEXT:
        if not isinstance(metadata.get(name, ""), str):
            raise ValueError(f"its {name} is not text")
    classes = metadata.get("class_names") or []
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError("its class names are not a list of text")
    if not isinstance(metadata.get("preprocessing") or {}, dict):
        raise ValueError("its preprocessing is not a JSON object")
    records = [
        _records(metadata.pop(key, None), key, count) for key, count in (("tensors", tensors), ("ops", ops))
    ]
    for record in records[0]:
        record["scale"] = _scales(record.get("scale"), record["name"])
    return records[0], [record["name"] for record in records[1]]


def check_program(program: Program) -> None:
    """Check what the reading verbs rely on and the core does not.

    Raises:
        ValueError: a parameter that no operator reads and that is no table for its input, two parameters of one
            name, a tensor that is written twice, an input of four dimensions, class names that do not fit the
            outputs, scales that do not fit their tensor.
    """
    read = {index for op in program.ops for index in op.parameters}
    table = table_of(program)
    idle = next((t for i, t in enumerate(program.parameters) if i not in read and t is not table), None)
    if idle is not None:
        raise ValueError(f"no operator reads the parameter {idle.name!r}")
    if table is None and "table" in program.metadata:
        raise ValueError("its input is looked up in a table that it does not have, or not in this form")
    if len({tensor.name for tensor in program.parameters}) < program.parameter_count:
        raise ValueError("two parameters have one name")
    if len({op.output for op in program.ops}) < len(program.ops):
        raise ValueError("a tensor is written twice")
    if len(program.tensors[program.input].shape) > 3:
        raise ValueError("its input has four dimensions")
    classes = program.metadata.get("class_names")
    if classes and len(classes) != program.tensors[program.output].elements:
        raise ValueError(
            f"it names {len(classes)} classes for {program.tensors[program.output].elements} outputs"
        )
    for tensor in program.tensors:
        if len(tensor.scale) != _channels(tensor):
            raise ValueError(
                f"tensor {tensor.name!r} has {len(tensor.scale)} scales for {_channels(tensor)} channels"
            )


def table_of(program: Program) -> Tensor | None:
    """The tensor of what token ids stand for, the last parameter: frozen rows in the format of the input, (tokens, D).

    None where samples are given as they are read, or there is no such tensor.
    """
    table, read = program.tensors[program.parameter_count - 1], program.tensors[program.input]
    fits = (
        program.parameter_count > 0
        and table.name == program.metadata.get("table")
        and table.frozen
        and table.dtype == read.dtype
        and (table.scale, 0) == (read.scale, read.zero_point)
        and len(table.shape) == len(read.shape) == 2
        and table.shape[1] == read.shape[1]
    )
    return table if fits else None


def _records(values: Any, key: str, count: int) -> list[dict]:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"its metadata do not list its {count} {key}")
    if not all(isinstance(value, dict) and isinstance(value.get("name"), str) for value in values):
        raise ValueError(f"its metadata do not name all its {key}")
    return values


def _scales(values: Any, name: str) -> tuple[float, ...]:
    numbers = isinstance(values, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in values
    )
    if not numbers or not all(1e-60 < v < 1e60 for v in values):
        raise ValueError(f"the scale of tensor {name!r} is not a list of positive numbers")
    return tuple(map(float, values))


def _channels(tensor: Tensor) -> int:
    if tensor.channel_rule == "one":
        return 1
    if tensor.channel_rule == "modulo":
        return tensor.channel_divisor
    return -(-tensor.elements // tensor.channel_divisor)
