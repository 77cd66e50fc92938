"""The demo's recordings: one speaker of the Free Spoken Digit Dataset (assets/ATTRIBUTION.md)."""

import shutil
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from stepforward.data import preprocessing as prep
from stepforward.data.dataset import Dataset
from stepforward.errors import StepforwardError

CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SAMPLE_RATE = 8000
Part = Literal["adapt", "test"]

_ASSETS = files("stepforward.digits") / "assets"


class Clip(NamedTuple):
    """One recording: its class name, the file name it is exported under, 16-bit samples at 8 kHz."""

    label: str
    file_name: str
    samples: NDArray[np.int16]


def clips(part: Part) -> Iterator[Clip]:
    """The recordings of a part, digit by digit: 100 to adapt (10 per digit), 300 others to test (30 per digit)."""
    with as_file(_ASSETS / f"digits_{part}.npz") as path, np.load(path, allow_pickle=False) as file:
        audio, offset, label, take = (file[name] for name in ("audio", "offset", "label", "take"))
        speaker = file["speaker"].item()
    for row, digit in enumerate(label.tolist()):
        samples = audio[offset[row] : offset[row + 1]]
        yield Clip(CLASS_NAMES[digit], f"{digit}_{speaker}_{take[row]:02}.wav", samples)


def load_clips(part: Part, preprocessing: dict) -> Dataset:
    """The recordings of a part as network inputs, by the code that also reads users' WAV files.

    Args:
        preprocessing: the model's settings, kind "log_mel" at 8 kHz.

    Returns:
        x float32 (N, 1, mels, frames); equal to loading the folder that `export_clips` writes.
    """
    settings = prep.check_preprocessing(preprocessing)
    recorded = list(clips(part))
    x = np.stack([prep.apply(settings, clip.samples / 32768.0) for clip in recorded])
    y = np.array([CLASS_NAMES.index(clip.label) for clip in recorded], dtype=np.int64)
    return Dataset(x, y, CLASS_NAMES, tuple(f"{clip.label}/{clip.file_name}" for clip in recorded))


def export_clips(directory: str | Path) -> list[Path]:
    """Write the recordings as WAV files: `directory`/adapt/zero/0_lucas_00.wav and so on, and ATTRIBUTION.md.

    Returns:
        The two data folders, `directory`/adapt and `directory`/test.

    Raises:
        StepforwardError: a folder of that name exists already, or cannot be written.
    """
    parts: tuple[Part, ...] = ("adapt", "test")
    folders = [Path(directory) / part for part in parts]
    for folder in folders:
        if folder.exists():
            raise StepforwardError(f"{folder} exists already", "choose another directory, or remove it")
    try:
        for part, folder in zip(parts, folders, strict=True):
            for clip in clips(part):
                (folder / clip.label).mkdir(parents=True, exist_ok=True)
                soundfile.write(
                    folder / clip.label / clip.file_name, clip.samples, SAMPLE_RATE, subtype="PCM_16"
                )
        (Path(directory) / "ATTRIBUTION.md").write_bytes((_ASSETS / "ATTRIBUTION.md").read_bytes())
    except (OSError, RuntimeError) as error:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        raise StepforwardError(
            f"cannot write the clips to {directory}: {error}", "choose a directory with some free space"
        ) from error
    return folders


def model_path() -> Path:
    """The float network, `digits_dscnn_float.onnx`, as installed."""
    return Path(str(_ASSETS / "digits_dscnn_float.onnx"))
