"""Adapted integers back into the file: its own bytes, and others where weights and biases lie."""

from collections.abc import Mapping

import numpy as np

from stepforward.network.network import Parameter
from stepforward.sources.kept import changed
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
    for name, array in changed(parameters, weights).items():
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
