"""Float TensorFlow Lite files that others published: against LiteRT in float32, and in integers, on real data.

    python benchmarks/float_tflite.py [--networks images ...] [--parts accuracy adapt]

Of each: how far float answers lie apart on 64 real samples, accuracy in LiteRT and as 16w8a and 8w8a on all of them;
and the file adapted on 200 samples of other data, with the weights that its journal alone gives. KWT-1 begins at its
log-mel frames, which LiteRT computes of the clips as the file says: squares of a spectrum are nothing for 8 bits. Rows
that were not asked for stay. Needs the data (STEPFORWARD_DATA, see docs/benchmarks.md), the extras [tflite] and
[tflite-test].
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from common import DATA, RESULTS, ROOT, percent, table, write
from int8_data import clips, features, people, shifted
from numpy.typing import NDArray

import stepforward as sf
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.lowering.weights import network_weights
from stepforward.sources.open import open_source
from stepforward.sources.tflite.file import load_tflite, parse

sys.path.insert(0, str(ROOT / "tests" / "support"))
from int8_runtimes import with_inputs, with_outputs  # what the tests cut with

COMPARED = 64


class Sampled(NamedTuple):
    """A file, samples for it with their labels, others to calibrate with, and what LiteRT answers."""

    path: Path
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    calibration: NDArray[np.float32]
    answers: NDArray[np.float32]
    wide: str = "auto"


def litert(content: bytes, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """What LiteRT gives for each output."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (source,), results = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for sample in x:
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        found.append([interpreter.get_tensor(result["index"])[0] for result in results])
    return [np.stack(each) for each in zip(*found, strict=True)]


def tiny(name: str, x: NDArray, y: NDArray, calibration: NDArray) -> Sampled:
    """A file of MLPerf Tiny."""
    path = DATA / "pretrained" / "mlperf_tiny" / f"{name}.tflite"
    x, calibration = x.astype(np.float32), calibration.astype(np.float32)
    return Sampled(path, x, y.astype(np.int64), calibration, litert(path.read_bytes(), x)[0])


def images() -> Sampled:
    """CIFAR-10's test part; the first of the training part calibrate."""
    parts = []
    for part, count in (("test", 10_000), ("train", 200)):
        with np.load(DATA / "cifar10" / f"{part}.npz", allow_pickle=False) as file:
            parts.append((file["images"][:count], file["label"][:count]))
    return tiny("resnet8_cifar10_float", *parts[0], parts[1][0])


def keywords() -> Sampled:
    """1,320 clips; 120 others calibrate."""
    waveforms, y = clips()
    x = features(waveforms)
    return tiny("kws_dscnn_float", x[120:], y[120:], x[:120])


def persons() -> Sampled:
    """The test part; the first of the training part calibrate."""
    return tiny("vww_96_float", *people("test"), people("train")[0][:200])


def transformer(wide: str) -> Sampled:
    """KWT-1 from its log-mel frames on, over the same clips; 120 others calibrate."""
    folder = DATA / "pretrained" / "kwt1"
    file = load_tflite(folder / "kwt1_float.tflite")
    frames = next(operator for operator in file.operators if operator.code == "LOG").outputs[0]
    names = (folder / "labels.txt").read_text().split()
    waveforms, y = clips(names)
    x, answers = litert(with_outputs(file, [frames, *file.outputs]), waveforms.astype(np.float32))
    path = Path(tempfile.mkdtemp()) / "kwt1_from_log_mel.tflite"
    path.write_bytes(with_inputs(parse(file.content, "KWT-1"), [frames]))
    return Sampled(path, x[120:], y[120:], x[:120], answers[120:], wide)


NETWORKS: dict[str, Callable[[], Sampled]] = {
    "images (ResNet-8)": images,
    "keywords (DS-CNN)": keywords,
    "people (MobileNetV1)": persons,
    "words (KWT-1)": lambda: transformer("auto"),
    "words (KWT-1), two tensors of 16 bits": lambda: transformer(
        "speech_features/lambda_5/Log,speech_features/dct"
    ),
}


def accuracy_row(made: Sampled) -> dict:
    """How far from LiteRT, and how often right."""
    source = open_source(made.path)
    logits = run(source.float_model().graph, made.x[:COMPARED])
    theirs = made.answers[:COMPARED]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    apart = min(
        float(np.abs(values - theirs).max())
        for values in (logits, powers / powers.sum(axis=1, keepdims=True))
    )
    found = {"litert": float((made.answers.argmax(axis=1) == made.y).mean())}
    for bits in ("16w8a", "8w8a"):
        program = lower(
            open_source(sf.quantize(source, made.calibration, bits=bits, wide=made.wide)).network()
        )
        q = logits_of(CoreEngine(program), quantize_input(program, made.x))
        found[bits] = float((q.argmax(axis=1) == made.y).mean())
    return {
        "operators": len(load_tflite(made.path).operators),
        "samples": len(made.x),
        "apart": apart,
        "wide": made.wide,
        **found,
    }


def adapt_row(network: str) -> dict:
    """What 200 samples of other data teach it, and whether the journal alone gives the same weights."""
    path = DATA / "pretrained" / "mlperf_tiny" / f"{FILES[network]}.tflite"
    data, test = shifted(network)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        result = sf.adapt(path, data, test=test, out=out, train="head", progress=False)
        sf.replay(out / "base.onnx", out / "journal", out=out / "again.onnx")
        given, again = (
            network_weights(lower(open_source(out / name).network()))
            for name in ("adapted.onnx", "again.onnx")
        )
    return {
        "test_samples": len(test[1]),
        "zero_shot": result.zero_shot_accuracy,
        "adapted": result.adapted_accuracy,
        "replayed": all(np.array_equal(given[name], again[name]) for name in given),
    }


FILES = {
    "images (ResNet-8)": "resnet8_cifar10_float",
    "keywords (DS-CNN)": "kws_dscnn_float",
    "people (MobileNetV1)": "vww_96_float",
}
"""What is adapted."""


def main() -> None:
    """Measure, keep the rows that there are, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--networks", nargs="+", default=[""], metavar="WORD", help="names that have one of these"
    )
    parser.add_argument("--parts", nargs="+", default=["accuracy", "adapt"], choices=["accuracy", "adapt"])
    given = parser.parse_args()
    path = RESULTS / "float_tflite.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    found = {part: {row["network"]: row for row in kept.get(part, [])} for part in ("accuracy", "adapt")}
    for network in (name for name in NETWORKS if any(word in name for word in given.networks)):
        if "accuracy" in given.parts:
            found["accuracy"][network] = {"network": network, **accuracy_row(NETWORKS[network]())}
            print(found["accuracy"][network], flush=True)
        if "adapt" in given.parts and network in FILES:
            found["adapt"][network] = {"network": network, **adapt_row(network)}
            print(found["adapt"][network], flush=True)
        write("float_tflite", {part: [*rows.values()] for part, rows in found.items()})
    for rows in found.values():
        shown = [{k: percent(v) if k in _SHARES else v for k, v in row.items()} for row in rows.values()]
        print(table(shown, {key: key for key in shown[0]}) if shown else "")


_SHARES = ("litert", "16w8a", "8w8a", "zero_shot", "adapted")


if __name__ == "__main__":
    main()
