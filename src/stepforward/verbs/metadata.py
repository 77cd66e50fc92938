"""Write class names and preprocessing into a model, checked against the network they belong to."""

import math
from collections.abc import Sequence

import onnx_ir as ir

from stepforward.data import preprocessing as prep
from stepforward.errors import StepforwardError
from stepforward.graph import metadata
from stepforward.run.given import class_list


def set_class_names(model: ir.Model, names: Sequence[str]) -> None:
    """Store the class names, one per logit and in their order.

    Raises:
        StepforwardError: they are not as many as the logits, or a name is empty or appears twice.
    """
    names = class_list(names)
    counts = [value.shape[-1] if value.shape else None for value in model.graph.outputs]
    fits = any(
        not isinstance(count, int) or len(names) == count or (len(names), count) == (2, 1) for count in counts
    )
    if not fits:
        raise StepforwardError(
            f"{len(names)} class names are given, and the network has {' or '.join(map(str, counts))} outputs",
            "give one name per output, in the order of the logits",
        )
    metadata.set_class_names(model, names)


def set_preprocessing(model: ir.Model, settings: dict) -> None:
    """Store how raw samples become network inputs; docs/tutorial.md lists the settings.

    Raises:
        StepforwardError: a setting is missing or wrong, or the network reads samples of another size.
    """
    made = prep.input_shape(prep.check_preprocessing(settings))
    shape = model.graph.inputs[0].shape
    reads = tuple(shape)[1:] if shape is not None else ()
    if (
        made
        and reads
        and all(isinstance(size, int) for size in reads)
        and math.prod(made) != math.prod(reads)
    ):
        raise StepforwardError(
            f"these settings make samples of shape {made}, and the network reads {reads}",
            "give the sizes of the network's input",
        )
    metadata.set_preprocessing(model, settings)
