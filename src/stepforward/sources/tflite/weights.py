"""Adapted integers back into the file: its own bytes, and others where weights and biases lie."""

from collections.abc import Mapping

import numpy as np

from stepforward.errors import StepforwardError
from stepforward.network.network import Parameter
from stepforward.sources.tflite.file import TfliteFile

_STORED = {"INT8": np.int8, "INT32": np.int32}


def with_weights(
    file: TfliteFile, parameters: Mapping[str, Parameter], weights: Mapping[str, np.ndarray]
) -> bytes:
    """The bytes of the file with other integers; everything else stays, to the last byte.

    Args:
        file: as it was read.
        parameters: of its network, by name.
        weights: name of a parameter -> integers in the network's layout.

    Raises:
        StepforwardError: an unknown name, another shape, integers outside the type's symmetric range, or others than
            the file's for what has no place of its own.
    """
    content = bytearray(file.content)
    tensors = {tensor.name: tensor for tensor in file.tensors}
    remedy = "use the model the weights belong to"
    for name, array in weights.items():
        known, array = parameters.get(name), np.asarray(array)
        if known is None:
            raise StepforwardError(f"the model has no integer weight called {name!r}", remedy)
        if array.dtype.kind not in "iu" or array.shape != known.q.shape:
            raise StepforwardError(
                f"weight {name!r} is {known.dtype} of shape {known.q.shape}, not {array.dtype} of {array.shape}",
                remedy,
            )
        if np.array_equal(array, known.q):
            continue
        if known.frozen:
            raise StepforwardError(
                f"weight {name!r} has no place of its own in the file", "leave it as it is"
            )
        most = 127 if known.dtype == "s8" else 2**31 - 1
        if array.size and max(int(array.max()), -int(array.min())) > most:
            raise StepforwardError(f"weight {name!r} exceeds +-{most}", "clamp the integers to their type")
        tensor = tensors[name]
        assert tensor.place is not None  # `read` gives no parameter without one
        stored = _in_the_file(array, tensor.shape).astype(_STORED[tensor.type])
        first, size = tensor.place
        content[first : first + size] = np.ascontiguousarray(stored).tobytes()
    return bytes(content)


def _in_the_file(q: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """From the network's layout, (O, I, KH, KW), to (O, KH, KW, I), or (1, KH, KW, O) of a depthwise convolution."""
    if q.ndim != 4:
        return q
    convolved = q.transpose(0, 2, 3, 1)
    return convolved if convolved.shape == shape else q[:, 0].transpose(1, 2, 0)[None]
