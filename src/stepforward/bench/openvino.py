"""OpenVINO as a peer: float32, and int8 from the file that ONNX Runtime's quantizer wrote."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray


def forward(model: Path, x: NDArray[np.float32], threads: int) -> Callable[[], NDArray[np.float32]]:
    """A call that runs an ONNX file on x.

    One stream, for the shortest time of a batch, and float32 where the file has floats: on some processors the default
    is 16 bits.
    """
    core = openvino.Core()
    read = core.read_model(model)
    read.reshape({0: list(x.shape)})
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(read, "CPU", options).create_infer_request()
    given = openvino.Tensor(x)

    def call() -> NDArray[np.float32]:
        request.infer([given])
        return request.get_output_tensor().data

    return call
