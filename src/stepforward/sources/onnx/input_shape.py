"""The shape of the input: what a file leaves open is filled in from the preprocessing, or by the user."""

from collections.abc import Sequence

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.channels import channels_last
from stepforward.graph.metadata import PREPROCESSING, get_preprocessing
from stepforward.graph.nodes import sample_inputs


def give_input_shape(model: ir.Model, shape: tuple[int, ...] | None, source: str) -> None:
    """Write fixed sizes where the input's axes are dynamic; the batch stays as it is.

    Args:
        shape: of one sample, (C, H, W), (H, W, C) or (features,); by default the one that the preprocessing noted in
            the model makes, if any, in the order of axes that the network reads.
        source: how messages name the model.

    Raises:
        StepforwardError: `shape` contradicts the sizes that the model fixes.
    """
    value = next(iter(sample_inputs(model.graph)), None)
    wanted = shape or _of_preprocessing(model)
    if value is None or wanted is None:
        return
    own = [None] * (len(wanted) + 1) if value.shape is None else list(value.shape.dims)
    if shape is None and (channels_last(model.graph) or not _fits(own, wanted)):
        wanted = (*wanted[1:], wanted[0])
    if all(isinstance(dim, int) for dim in own[1:]) and shape is None:
        return
    if _fits(own, wanted):
        value.shape = ir.Shape([own[0], *wanted])
    elif shape is not None:
        raise StepforwardError(
            f"the input shape {','.join(map(str, shape))} does not fit input {value.name!r} of {source}: "
            f"(N, {', '.join(str(dim) for dim in own[1:])})",
            "give the size of one sample without the batch; sizes that the model fixes stay as they are",
        )


def _fits(own, wanted):
    return len(own) == len(wanted) + 1 and all(
        dim == size for dim, size in zip(own[1:], wanted, strict=True) if isinstance(dim, int)
    )


def parse_input_shape(shape: str | Sequence[int]) -> tuple[int, ...]:
    """The shape of one sample, given as numbers or written "C,H,W".

    >>> parse_input_shape("3,32,32")
    (3, 32, 32)

    Raises:
        StepforwardError: it is not one to three positive numbers.
    """
    sizes = shape.split(",") if isinstance(shape, str) else shape
    try:
        numbers = tuple(int(size) for size in sizes)
    except (TypeError, ValueError):
        numbers = ()
    if not 1 <= len(numbers) <= 3 or min(numbers) < 1:
        raise StepforwardError(
            f"the input shape {shape!r} is not the shape of a sample",
            "give channels, height and width, such as 3,224,224",
        )
    return numbers


def _of_preprocessing(model):
    """(C, H, W) of the noted preprocessing as far as its numbers make sense; they are checked when data is read."""
    if PREPROCESSING not in model.metadata_props:
        return None
    settings = get_preprocessing(model)
    try:
        if settings.get("kind") == "image":
            shape = settings["channels"], settings["height"], settings["width"]
        elif settings.get("kind") == "log_mel":
            shape = 1, settings["mels"], settings["samples"] // settings["hop"]
        else:
            return None
    except (KeyError, TypeError, ZeroDivisionError):
        return None
    return shape if all(type(size) is int and size > 0 for size in shape) else None
