"""How raw samples become network inputs; the settings travel inside the model file.

{"kind": "image", "height", "width", "channels": 1 | 3, "mean": [..], "std": [..]}        see images.fit_image
    and, where wanted, "fit": "crop" | "squash" | "letterbox", "levels": the 16-bit value that becomes 1.0
{"kind": "log_mel", "sample_rate", "samples", "window", "hop", "fft", "mels", "fmin", "fmax",
 "mean", "std", "floor"}                                                                   see audio.log_mel
{"kind": "mfcc", "sample_rate", "samples", "window", "hop", "fft", "mels", "coefficients", "fmin", "fmax",
 "mean", "std", "floor"} and, where wanted, "peak": true                                   see mfcc.mfcc
{"kind": "windows", "length", "stride", "columns": [..]} and, where wanted, "label", "group", "mean": [..],
 "std": [..]                                                                               see windows.read_windows
{"kind": "array"}                                                     samples are already the network's input

Every kind takes "channels_last": true for a network that reads (H, W, C), and false for one that reads (C, H, W); left
out, the network's input says it (`laid_out`).

A caller's own function (`function.function_settings`) is a kind too, which no model file can name.
"""

import difflib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepforward.data.audio import log_mel
from stepforward.data.function import call_function
from stepforward.data.images import FITS, fit_image, read_image
from stepforward.data.media import FILES, IMAGES, SOUNDS
from stepforward.data.mfcc import frames, mfcc
from stepforward.data.sounds import read_sound
from stepforward.errors import StepforwardError
from stepforward.files import check_regular

_COUNTS = {
    "image": ("height", "width", "channels"),
    "log_mel": ("sample_rate", "samples", "window", "hop", "fft", "mels"),
    "mfcc": ("sample_rate", "samples", "window", "hop", "fft", "mels", "coefficients"),
    "windows": ("length", "stride"),
    "array": (),
}
_SPECTRUM = ("fmin", "fmax", "mean", "std", "floor")
_NUMBERS = {"image": (), "log_mel": _SPECTRUM, "mfcc": _SPECTRUM, "windows": (), "array": ()}
_LISTS = {"image": ("mean", "std"), "log_mel": (), "mfcc": (), "windows": (), "array": ()}
_OPTIONAL = {
    "image": ("fit", "levels"),
    "log_mel": (),
    "mfcc": ("peak",),
    "windows": ("columns", "label", "group", "mean", "std"),
    "array": (),
}
_LAYOUT = "channels_last"
_SMALLEST = 1e-15  # of what divides; its inverse is the largest number: samples stay far inside float32
_LARGEST = 2**25  # numbers in one intermediate array
MEDIA = {"image": IMAGES, "log_mel": SOUNDS, "mfcc": SOUNDS, "function": FILES}
"""The files that each kind reads; none for a kind that is not here."""


def check_preprocessing(settings: dict) -> dict:
    """Return `settings` unchanged if they are complete and sensible.

    Raises:
        StepforwardError: the kind or a setting is unknown, or a setting is missing, of the wrong type or out of range.
    """
    kind = settings.get("kind") if isinstance(settings, dict) else None
    if not isinstance(kind, str) or kind not in _COUNTS:
        raise _refused(f"kind is {kind!r}; known kinds are {', '.join(_COUNTS)}")
    known = (*_COUNTS[kind], *_NUMBERS[kind], *_LISTS[kind], *_OPTIONAL[kind], _LAYOUT)
    for name in settings:
        if name != "kind" and name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise _refused(f"{kind} has no setting {name!r}{hint}")
    for name in _COUNTS[kind]:
        value = settings.get(name)
        if not _is_count(value):
            raise _refused(f"{name} is {value!r}, not a whole number from 1")
    for name in _NUMBERS[kind]:
        if not _is_number(settings.get(name)):
            raise _refused(f"{name} is {settings.get(name)!r}, not a number")
    for name in _LISTS[kind]:
        values = settings.get(name)
        numbers = isinstance(values, list | tuple) and all(_is_number(value) for value in values)
        if not isinstance(values, list | tuple) or not numbers or len(values) != settings["channels"]:
            raise _refused(f"{name} is {values!r}, not a list of one number per channel")
    if not isinstance(settings.get(_LAYOUT, False), bool):
        raise _refused(f"{_LAYOUT} is {settings[_LAYOUT]!r}, not true or false")
    for problem in _RANGES[kind](settings):
        raise _refused(problem)
    return settings


def laid_out(settings: dict, shape: tuple[int, ...], last: bool) -> dict:
    """Checked settings with "channels_last" where they leave it to the network to say.

    Args:
        shape: of one sample, as the network reads it.
        last: whether the network begins like one that reads (H, W, C); decides where `shape` alone does not.

    >>> settings = {"kind": "image", "height": 8, "width": 6, "channels": 3, "mean": [0] * 3, "std": [1] * 3}
    >>> laid_out(settings, (8, 6, 3), False)["channels_last"], "channels_last" in laid_out(settings, (3, 8, 6), True)
    (True, False)
    """
    if _LAYOUT in settings or settings["kind"] == "function" or len(shape) < 2:
        return settings
    made = input_shape(settings)
    if made is not None and made != shape:
        last = _to_last(made) == shape
    elif made is not None:
        last = last and _to_last(made) == shape
    return settings | {_LAYOUT: True} if last else settings


def either_layout(settings: dict) -> bool:
    """Whether samples have the same shape as (C, H, W) and as (H, W, C), with numbers in another order."""
    made = input_shape(settings)
    return made is not None and len(made) == 3 and max(made) > 1 and _to_last(made) == made


def input_shape(settings: dict) -> tuple[int, ...] | None:
    """Shape these settings produce, (C, H, W), or (H, W, C) with "channels_last"; None for "array": what comes."""
    made = _channels_first(settings)
    return _to_last(made) if made is not None and settings.get(_LAYOUT) else made


def _to_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[1:], shape[0])


def _channels_first(settings: dict) -> tuple[int, ...] | None:
    if settings["kind"] == "image":
        return settings["channels"], settings["height"], settings["width"]
    if settings["kind"] == "log_mel":
        return 1, settings["mels"], settings["samples"] // settings["hop"]
    if settings["kind"] == "windows":
        return len(settings["columns"]), settings["length"]
    if settings["kind"] == "mfcc":
        return 1, frames(settings), settings["coefficients"]
    return settings.get("shape")


def reads_files(settings: dict) -> bool:
    """Whether these settings turn files into samples."""
    return settings["kind"] in MEDIA


def read(settings: dict, path: str | Path, remarks: list[str] | None = None) -> NDArray:
    """Read one file into what `apply` takes: (H, W, C) for images, a float64 waveform for sounds.

    Args:
        remarks: takes what a person should know about this file.

    Raises:
        StepforwardError: the file is damaged, or these settings read no files.
    """
    if reads_files(settings):
        check_regular(path)
    if settings["kind"] == "image":
        return read_image(path, settings["channels"], settings.get("levels"), remarks)
    if settings["kind"] == "function":
        return call_function(settings, path)
    if settings["kind"] in ("log_mel", "mfcc"):
        return read_sound(path, settings["sample_rate"], settings["samples"], remarks)
    if settings["kind"] == "windows":
        raise StepforwardError(
            f"{path}: this model reads windows of a recording",
            f"give a .csv with the columns {', '.join(settings['columns'][:20])} and a label for each row, or an .npz",
        )
    raise StepforwardError(
        f"{path}: this model takes ready-made arrays and has no preprocessing for files",
        "give the samples as an .npz with x and y, write the preprocessing into the model (sf.set_preprocessing), "
        "or give a function of your own: --preprocess module:function",
    )


def apply(settings: dict, raw: NDArray) -> NDArray[np.float32]:
    """Turn one raw sample into one network input.

    Args:
        settings: checked settings.
        raw: image: (H, W, C), see `fit_image`; log_mel, mfcc: float64 waveform at the model's rate;
            array, function: float (C, H, W).

    Returns:
        float32, shape (C, H, W), or (H, W, C) with "channels_last".
    """
    if settings["kind"] not in _MAKERS:
        return np.asarray(raw, dtype=np.float32)
    made = _MAKERS[settings["kind"]](raw, settings)
    return np.moveaxis(made, 0, -1) if settings.get(_LAYOUT) else made


_MAKERS = {"image": fit_image, "log_mel": log_mel, "mfcc": mfcc}


def _image_ranges(settings: dict) -> list[str]:
    problems = []
    if settings["channels"] not in (1, 3):
        problems.append(f"channels is {settings['channels']}, not 1 or 3")
    if settings.get("fit", "crop") not in FITS:
        problems.append(f"fit is {settings['fit']!r}, not one of {', '.join(FITS)}")
    if not _is_count(settings.get("levels", 1)):
        problems.append(f"levels is {settings['levels']!r}, not a whole number from 1")
    if min(settings["std"]) < _SMALLEST:
        problems.append(f"std is {settings['std']}; it divides and must be above 0")
    if settings["height"] * settings["width"] > _LARGEST:
        problems.append(
            f"height and width are {settings['height']} and {settings['width']}: no such image fits"
        )
    return problems


def _mfcc_ranges(settings: dict) -> list[str]:
    problems = []
    if settings["window"] > settings["fft"]:
        problems.append("window is longer than fft")
    if settings["samples"] < settings["window"]:
        problems.append("samples is less than one window")
    if settings["coefficients"] > settings["mels"]:
        problems.append("there are more coefficients than mels")
    if not isinstance(settings.get("peak", False), bool):
        problems.append(f"peak is {settings['peak']!r}, not true or false")
    return problems + _spectrum_ranges(settings)


def _log_mel_ranges(settings: dict) -> list[str]:
    problems = []
    if not settings["hop"] <= settings["window"] <= settings["fft"]:
        problems.append("hop, window and fft must not decrease in this order")
    if settings["samples"] < settings["hop"]:
        problems.append("samples is less than one hop")
    return problems + _spectrum_ranges(settings)


def _window_ranges(settings: dict) -> list[str]:
    columns: Any = settings.get("columns")
    if not _are_names(columns):
        return [f"columns is {columns!r}, not a list of different names"]
    problems = [
        f"{key} is {settings[key]!r}, not the name of another column"
        for key in ("label", "group")
        if key in settings and (not isinstance(settings[key], str) or settings[key] in columns)
    ]
    for key in ("mean", "std"):
        values = settings.get(key, [1.0] * len(columns))
        if (
            not isinstance(values, list | tuple)
            or len(values) != len(columns)
            or not all(map(_is_number, values))
        ):
            problems.append(f"{key} is {values!r}, not a list of one number per column")
        elif key == "std" and min(values) < _SMALLEST:
            problems.append(f"std is {values}; it divides and must be above 0")
    if settings["length"] * len(columns) > _LARGEST:
        problems.append("length and columns make windows beyond all memory")
    return problems


def _are_names(names: object) -> bool:
    return (
        isinstance(names, list | tuple)
        and 0 < len(names) <= 2**16
        and all(isinstance(name, str) for name in names)
        and len(set(names)) == len(names)
    )


def _spectrum_ranges(settings: dict) -> list[str]:
    problems = []
    if not 0 <= settings["fmin"] < settings["fmax"] <= settings["sample_rate"] / 2:
        problems.append("fmin and fmax must rise, and lie between 0 and half the sample rate")
    if settings["window"] < 2:
        problems.append("window is 1 sample, whose weight is 0")
    if settings["samples"] // settings["hop"] * settings["fft"] > _LARGEST:
        problems.append("samples, hop and fft make spectra beyond all memory")
    if settings["mels"] * settings["fft"] > _LARGEST:
        problems.append("mels and fft make filters beyond all memory")
    if settings["std"] < _SMALLEST or settings["floor"] <= 0:
        problems.append("std and floor must be above 0")
    return problems


_RANGES = {
    "image": _image_ranges,
    "log_mel": _log_mel_ranges,
    "mfcc": _mfcc_ranges,
    "windows": _window_ranges,
    "array": lambda settings: [],
}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 2**24


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1 / _SMALLEST


def _refused(problem: str) -> StepforwardError:
    return StepforwardError(
        f"the preprocessing settings cannot be used: {problem if len(problem) < 400 else problem[:400] + ' ...'}",
        "correct them: docs/tutorial.md lists the settings of every kind; "
        "a model file carries them as its metadata property stepforward.preprocessing",
    )
