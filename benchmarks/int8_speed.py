"""Forward passes of MLPerf Tiny's int8 files next to the runtimes of such files and of their float networks.

    python benchmarks/int8_speed.py                          # 1 and 2 threads, 10 seconds each
    python benchmarks/int8_speed.py --only images --threads 1

Ours and LiteRT run the int8 file itself, each runtime's rounding in a column of its own; the others the float file of
the same network, or what ONNX Runtime's quantizer makes of it. The calls take turns, batch 64, real samples. Needs the
data and the extras [torch], [ort] and [bench].
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import torch
import turns
from ai_edge_litert.interpreter import Interpreter
from common import DATA, table, write
from int8_data import FILES, real_samples

from stepforward.bench import openvino, ort
from stepforward.bench.peers import Call
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch
from stepforward.engines.torch import TorchEngine
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.program.model import Program
from stepforward.sources.open import open_source

BATCH, CALIBRATION = 64, 32
OURS = {runtime: f"stepforward int8, {runtime}" for runtime in ("litert", "tflm")}
"""Column of the table -> call."""

FOLDER = DATA / "pretrained" / "mlperf_tiny"
FLOAT = {
    "keywords (DS-CNN)": "kws_dscnn_float",
    "images (ResNet-8)": "resnet8_cifar10_float",
    "people (MobileNetV1)": "vww_96_float",
}


def litert(path: Path, integers: np.ndarray, threads: int) -> Call:
    """LiteRT with XNNPACK on the same file, for whole batches."""
    interpreter = Interpreter(str(path), num_threads=threads)
    (source,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(source["index"], integers.shape, strict=False)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source["index"], integers)
    return interpreter.invoke


def core(program: Program, integers: np.ndarray, threads: int) -> Call:
    """Ours, in the rounding of the program."""
    engine, batch = CoreEngine(program, threads=threads), Batch.of(integers)
    return lambda: engine.outputs(batch)


def calls(network: str, folder: Path, threads: int) -> dict[str, Call]:
    """Everything that is timed, by name."""
    path = FOLDER / f"{FILES[network]}.tflite"
    opened = open_source(FOLDER / f"{FLOAT[network]}.tflite")
    x = real_samples(network, (), BATCH)
    programs = {call: lower(open_source(path, runtime=name).network()) for name, call in OURS.items()}
    integers = quantize_input(next(iter(programs.values())), x)  # the same for every rounding
    model = folder / "float.onnx"
    onnx.save(ir.to_proto(opened.model), model)
    int8 = ort.quantize_for_ort(model, x[:CALIBRATION])
    torch.set_num_threads(threads)
    engine, batch = TorchEngine(opened.float_model(), ()), Batch.of(x)
    return {
        **{call: core(program, integers, threads) for call, program in programs.items()},
        "LiteRT int8": litert(path, integers, threads),
        "OpenVINO int8": openvino.forward(int8, x, threads),
        "ONNX Runtime int8": ort.forward(int8, x, threads),
        "torch float32": lambda: engine.outputs(batch),
        "ONNX Runtime float32": ort.forward(model, x, threads),
        "OpenVINO float32": openvino.forward(model, x, threads),
    }


def main() -> None:
    """Measure, print, write down."""
    names = {name.split()[0]: name for name in FLOAT}
    given, found = turns.asked(__doc__, names, 10), []
    for network in (names[name] for name in given.only):
        for threads in given.threads:
            with tempfile.TemporaryDirectory() as folder:
                made = calls(network, Path(folder), threads)
                found += turns.rows(
                    made, OURS, BATCH, given.seconds, digits=4, network=network, threads=threads
                )
    heads = {
        "network": "network", "threads": "threads", "peer": "what runs it", "milliseconds": "ms a sample",
        "litert": "over ours, litert", "tflm": "over ours, tflm", "others": "others' share of the machine",
    }  # fmt: skip
    print(table(found, heads))
    if given.only == list(names):
        write("int8_speed", {"batch": BATCH, "seconds": given.seconds, "rows": found})


if __name__ == "__main__":
    main()
