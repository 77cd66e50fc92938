"""What travels inside the model file with the network: preprocessing, class names, notes."""

import json

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.strict_json import parse_json

PREPROCESSING = "stepforward.preprocessing"
CLASS_NAMES = "stepforward.class_names"
NOTES = "stepforward.notes"
BITS = "stepforward.bits"
STATISTICS = "stepforward.statistics"
FIXED_INPUTS = "stepforward.fixed_inputs"
OUTPUT = "stepforward.output"
"""The name of the output that holds the logits, in a file with several."""


def get_preprocessing(model: ir.Model) -> dict:
    """The preprocessing settings stored in the model; {} where there are none.

    Raises:
        StepforwardError: the entry is not a JSON object.
    """
    return _read(model, PREPROCESSING, dict, {})


def set_preprocessing(model: ir.Model, settings: dict) -> None:
    """Store preprocessing settings (a JSON object) in the model."""
    model.metadata_props[PREPROCESSING] = json.dumps(settings, sort_keys=True)


def get_class_names(model: ir.Model) -> list[str]:
    """The class names, in the order of the logits; [] where there are none.

    Raises:
        StepforwardError: the entry is not a JSON list of different strings.
    """
    names = _read(model, CLASS_NAMES, list, [])
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise _damaged(CLASS_NAMES, "it is not a list of different strings")
    return names


def set_class_names(model: ir.Model, names: list[str]) -> None:
    """Store the class names, one per logit and in their order.

    Raises:
        StepforwardError: a name appears twice.
    """
    names = [str(name) for name in names]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise StepforwardError(
            f"class name {doubles[0]!r} appears twice", "give every class a name of its own"
        )
    model.metadata_props[CLASS_NAMES] = json.dumps(names, ensure_ascii=False)


def get_notes(model: ir.Model) -> list[str]:
    """What the import changed that a user should know, e.g. a dropped Softmax."""
    return [str(note) for note in _read(model, NOTES, list, [])]


def add_note(model: ir.Model, note: str) -> None:
    """Append one sentence to the notes."""
    model.metadata_props[NOTES] = json.dumps([*get_notes(model), note], ensure_ascii=False)


def get_statistics(model: ir.Model) -> dict:
    """What `quantize` measured of its calibration data (docs/file-formats.md, section 5); {} where it is not known."""
    return _read(model, STATISTICS, dict, {})


def set_statistics(model: ir.Model, statistics: dict) -> None:
    """Store them; an empty dictionary takes away what was stored."""
    model.metadata_props.pop(STATISTICS, None)
    if statistics:
        model.metadata_props[STATISTICS] = json.dumps(statistics, sort_keys=True, separators=(",", ":"))


def get_fixed_inputs(model: ir.Model) -> list[str]:
    """The names of inputs that hold the same number always; [] where there are none."""
    return [str(name) for name in _read(model, FIXED_INPUTS, list, [])]


def set_fixed_inputs(model: ir.Model, names: list[str]) -> None:
    """Store them."""
    model.metadata_props[FIXED_INPUTS] = json.dumps(names, ensure_ascii=False)


def _read(model, key, kind, default):
    text = model.metadata_props.get(key)
    if text is None:
        return default
    try:
        value = parse_json(text)
    except ValueError as error:
        raise _damaged(key, f"it is not JSON that every parser reads ({error})") from error
    except RecursionError as error:
        raise _damaged(key, "it is nested too deeply") from error
    if not isinstance(value, kind):
        raise _damaged(key, f"it is not a JSON {'object' if kind is dict else 'list'}")
    return value


def _damaged(key, why):
    return StepforwardError(
        f"the model's metadata entry {key!r} cannot be read: {why}",
        "write the model again with stepforward, or delete the entry",
    )
