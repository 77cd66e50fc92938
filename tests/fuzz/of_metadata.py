"""What a model file says about itself: class names, preprocessing, notes; and a sample through that preprocessing."""

import json
from random import Random

import numpy as np
import onnx_ir as ir

from fuzz.mutate import json_bytes, mutated_json
from stepforward.data import preprocessing as prep
from stepforward.graph.metadata import get_class_names, get_notes, get_preprocessing

SUFFIX = ".json"
_IMAGE = {
    "kind": "image",
    "height": 8,
    "width": 8,
    "channels": 3,
    "mean": [0.5, 0.4, 0.3],
    "std": [0.25, 0.2, 0.2],
}
_SOUND = {"kind": "log_mel", "sample_rate": 8000, "samples": 1024, "window": 256, "hop": 128, "fft": 256}
_SOUND |= {"mels": 8, "fmin": 20.0, "fmax": 4000.0, "mean": 0.0, "std": 1.0, "floor": 1e-6}
_SOUND2 = {**_SOUND, "kind": "mfcc", "coefficients": 4}
_NAMES = ["yes", "no", "päusé"]
_PIXELS = np.arange(7 * 9 * 3, dtype=np.uint8).reshape(7, 9, 3)
_WAVE = np.sin(np.arange(900))


def make(rng: Random) -> bytes:
    """One metadata entry of each kind, some of them changed, as one JSON object of texts."""
    values = [rng.choice((_IMAGE, _SOUND, _SOUND2, {"kind": "array"})), _NAMES, ["a note"]]
    at = rng.choice((0, 0, 0, 1, 2))
    for _ in range(rng.choice((1, 1, 2))):
        values[at] = mutated_json(rng, values[at])
    texts = [json_bytes(rng, value).decode(errors="replace") for value in values]
    return json.dumps(texts).encode()


def read(content: bytes) -> None:
    """What opening a model and reading a sample for it look at."""
    preprocessing, names, notes = json.loads(content)
    model = ir.Model(ir.Graph([], [], nodes=[], opset_imports={"": 21}), ir_version=10)
    for key, text in (("preprocessing", preprocessing), ("class_names", names), ("notes", notes)):
        model.metadata_props[f"stepforward.{key}"] = text
    get_class_names(model)
    get_notes(model)
    settings = prep.check_preprocessing(get_preprocessing(model))
    shape = prep.input_shape(settings)
    if shape is None or np.prod(shape, dtype=float) > 2**16:
        return  # no network of the size
    channels = settings.get("channels", 1)
    raw = _PIXELS[..., :channels] if settings["kind"] == "image" else _WAVE
    assert prep.apply(settings, raw).shape == shape
