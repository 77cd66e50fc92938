"""ONNX Runtime as a peer: float32, and int8 as its own documents recommend for x86-64."""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static


class _Reader(CalibrationDataReader):
    def __init__(self, name: str, x: NDArray[np.float32]):
        self.batches = iter([{name: x}])

    def get_next(self) -> dict | None:
        return next(self.batches, None)


def quantize_for_ort(model: Path, calibration: NDArray[np.float32]) -> Path:
    """Quantize by ONNX Runtime's tool: QDQ, 8-bit unsigned activations, 8-bit signed weights per channel.

    Unsigned by signed is what its x86-64 kernels multiply with VNNI; without VNNI its documents recommend a bit less.
    """
    out = model.with_suffix(".int8.onnx")
    name = ort.InferenceSession(model, _options(1), providers=["CPUExecutionProvider"]).get_inputs()[0].name
    with _quiet():
        quantize_static(
            model,
            out,
            _Reader(name, calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
    return out


def forward(model: Path, x: NDArray[np.float32], threads: int) -> Callable[[], NDArray[np.float32]]:
    """A call that runs the model on x."""
    session = ort.InferenceSession(model, _options(threads), providers=["CPUExecutionProvider"])
    inputs = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, inputs)[0]


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # Its threads wait busily for work within a run, but must not when the next peer is measured.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


@contextlib.contextmanager
def _quiet():
    """Keep the quantizer's hint at its own preprocessing away: the batch norms are folded already."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.root.setLevel(level)
