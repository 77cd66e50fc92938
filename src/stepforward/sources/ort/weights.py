"""Adapted integers back into the file: its own words, and others where weights and biases lie."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from stepforward.graph.nodes import present
from stepforward.network.network import Parameter
from stepforward.sources.kept import changed
from stepforward.sources.ort.constants import Place
from stepforward.sources.ort.file import OrtFile, constant_of


def with_weights(
    file: OrtFile,
    parameters: Mapping[str, Parameter],
    places: Mapping[str, Place],
    weights: Mapping[str, np.ndarray],
) -> bytes:
    """The bytes of the file with other integers; everything else in it stays.

    Args:
        file: as it was read.
        parameters: of its network, by name; places: in the file.
        weights: name of a parameter -> integers in the network's layout.

    Raises:
        StepforwardError: an unknown name, another shape, integers outside the type's symmetric range, or others than
            the file's for what has no place of its own.
    """
    others = changed(parameters, weights)
    if not others:
        return file.content
    proto = onnx.ModelProto.FromString(file.content)
    for name, q in others.items():
        place = places[name]
        _put(present(constant_of(proto, place.tensor)), q, place)
    return proto.SerializeToString()


def _put(tensor: onnx.TensorProto, q: np.ndarray, place: Place) -> None:
    """Other integers in a tensor, stored in the way it was."""
    given = numpy_helper.to_array(tensor)
    q = q.T if place.turned else q
    values = q + place.zero
    if place.steps is not None:
        steps = np.array(place.steps, np.float32)
        axis = 1 if place.turned else 0
        spread = steps.reshape(-1, *(1,) * (q.ndim - 1 - axis)) if steps.size > 1 else steps.reshape(())
        values = np.where(
            q == _integers(given, spread, q.shape), given.reshape(q.shape), q.astype(np.float32) * spread
        )
    made = numpy_helper.from_array(values.reshape(given.shape).astype(given.dtype))
    if tensor.HasField("raw_data"):
        tensor.raw_data = made.raw_data
        return
    field = tensor.float_data if given.dtype.kind == "f" else tensor.int32_data
    field[:] = values.reshape(-1).tolist()


def _integers(given: np.ndarray, spread: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What real values are rounded to."""
    return np.rint((given.reshape(shape).astype(np.float32) / spread).astype(np.float32))
