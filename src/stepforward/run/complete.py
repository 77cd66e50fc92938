"""What a model file leaves unsaid, class names and preprocessing, taken from the caller, the data and the network.

The result carries both in its metadata, so a model made from it says everything by itself; whatever was assumed
becomes a note.
"""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stepforward.data.function import Prepare, find_function, function_name, function_settings
from stepforward.data.labels import holds_labels, holds_media, holds_sounds, labels_of
from stepforward.data.parts import PARTS
from stepforward.data.preprocessing import check_preprocessing, either_layout, laid_out
from stepforward.data.tokens import TABLE
from stepforward.data.windows import is_recording, settings_for
from stepforward.errors import StepforwardError
from stepforward.run.given import Classes, Image, class_list, classes_text, image_settings, image_text
from stepforward.sources.source import Source

_MOST_SHOWN = 12

_SOUNDS = {
    ".onnx": "write it into the model with sf.set_preprocessing (docs/tutorial.md lists the settings), "
    "or give the features as an .npz with x and y",
    ".tflite": "give a function that makes its input of a file (--preprocess), or the features as an .npz with x and y",
}


def complete(
    opened: Source,
    data: Any,
    classes: Classes | None = None,
    image: Image | None = None,
    preprocess: str | Prepare | None = None,
) -> Source:
    """The model with class names and preprocessing, as far as they can be known.

    Args:
        opened: the model; what it says itself stays, unless the caller says otherwise.
        data: what the caller gave; the folders of a path name the classes, in sorted order. A single file names none.
        classes: names in the order of the logits.
        image: how the network reads images; default: pixels divided by 255.
        preprocess: a function from the path of a file to one sample, or "module:function"; it replaces whatever the
            model says.

    Raises:
        StepforwardError: the folders are not as many as the logits, the network reads no images, or what the caller
            says contradicts a quantized model.
    """
    if preprocess is not None:
        if image is not None:
            raise StepforwardError("both image and preprocess are given", "give one of them")
        opened = replace(opened, prepare=find_function(preprocess))
    told = opened.prepare or image is not None or opened.table is not None or opened.parts
    windows = None if told else _windows(opened, data)
    settings = windows if windows or opened.prepare else _preprocessing(opened, data, image)
    layout = ""
    if not opened.prepare:
        settings, layout = _with_layout(opened, settings)
    names = _class_names(opened, data, classes, settings or settings_of(opened))
    if settings is None and names is None:
        return opened
    notes = [layout] if layout else []
    if names is not None and classes is None:
        notes.insert(
            0,
            f"class names are the {'folders' if windows is None else 'labels'} of {data} in sorted order: "
            f"{_shown(names)}; other order of the logits: --classes",
        )
    if windows is not None:
        notes.append(_assumed_windows(windows))
    elif settings is not None and image is None and not opened.preprocessing:
        notes.append(_assumed_scaling(opened))
    completed = opened.with_words(names, settings, notes)
    return replace(completed, assumed=_remedy(completed, data) if notes and opened.is_float else "")


def doubt(opened: Source, confusion: Any) -> list[str]:
    """A note where a network whose classes or scaling were assumed does no better than its commonest class.

    Args:
        confusion: (classes, classes) counts before any adaptation, one row per true class.
    """
    counts = np.asarray(confusion)
    if not opened.assumed or np.trace(counts) > counts.sum(axis=1).max():
        return []
    return [
        "before adaptation the network is no better than always naming the commonest class: if it was trained with "
        "other scaling or another order of classes, say so with --image mean=..,std=.. and --classes"
    ]


def settings_of(opened: Source) -> dict:
    """The settings that turn files into samples: the caller's function, or what the model says (`own_settings`)."""
    if opened.prepare:
        return function_settings(opened.prepare, opened.input_shape) | _of_network(opened)
    return own_settings(opened)


def own_settings(opened: Source) -> dict:
    """What the model says of its preprocessing (`said_settings`), and its table of token ids.

    This is the one place where settings meet the network: whatever turns data into samples takes them from here.
    """
    return said_settings(opened) | _of_network(opened)


def said_settings(opened: Source) -> dict:
    """What the model says of its preprocessing, checked, with the order of axes that the network reads."""
    settings = check_preprocessing(opened.preprocessing or {"kind": "array"})
    arrays = "reads token ids" if opened.table is not None else "has several inputs" if opened.parts else ""
    if arrays and settings["kind"] != "array":
        raise StepforwardError(
            f"{opened.name} {arrays}, and says that it reads samples of kind {settings['kind']!r}",
            'correct its metadata property stepforward.preprocessing: {"kind": "array"}',
        )
    return laid_out(settings, opened.input_shape, opened.channels_last)


def _of_network(opened: Source) -> dict:
    table = {} if opened.table is None else {TABLE: opened.table}
    return table | ({PARTS: opened.parts} if opened.parts else {})


def given(
    opened: Source, classes: Classes | None, image: Image | None, preprocess: str | Prepare | None = None
) -> dict:
    """What a result records: `--classes`, `--image`, `--preprocess`, and the command that makes them unnecessary."""
    words = {}
    if classes is not None:
        words["classes"] = classes_text(opened.class_names or ())
    if image is not None:
        words["image"] = image_text(opened.preprocessing or {})
    if preprocess is not None:
        words["preprocess"] = function_name(preprocess)
    return words | ({"for_good": opened.assumed} if opened.assumed else {})


def _windows(opened: Source, data: Any) -> dict | None:
    """Settings for a recording where the model has none and reads as many channels; None for anything else."""
    if opened.preprocessing or not isinstance(data, (str, Path)) or not is_recording(data):
        return None
    settings = settings_for(data, opened.input_shape)
    if settings is None:
        raise StepforwardError(
            f"{opened.name} reads samples of shape {opened.input_shape}, and the recording {data} has other channels",
            "name its channels with sf.set_preprocessing (docs/tutorial.md lists the settings of windows)",
        )
    return laid_out(check_preprocessing(settings), opened.input_shape, False)


def _assumed_windows(settings: dict) -> str:
    """What was assumed, for people."""
    return (
        f"the model does not say how it reads recordings: windows of {settings['length']} rows that do not overlap, "
        f"the columns {_shown(settings['columns'])} as they are; otherwise: sf.set_preprocessing (docs/tutorial.md)"
    )


def _preprocessing(opened: Source, data: Any, image: Image | None) -> dict | None:
    """Settings to write into the model, or None where it has its own or needs none."""
    own = opened.preprocessing or {}
    if image is None and (own or not holds_media(data)):
        return None
    if image is None and holds_sounds(data):
        raise StepforwardError(
            f"{data} holds sounds, and {opened.name} does not say how it turns sounds into its input",
            _SOUNDS[opened.suffix],
        )
    last = own.get("channels_last", opened.channels_last)
    shape = _channels_height_width(opened.input_shape, last)
    if shape is None:
        raise StepforwardError(
            f"{opened.name} reads samples of shape {opened.input_shape}, which no image file gives",
            "images need an input (N, C, H, W) or (N, H, W, C) with 1 or 3 channels; "
            "give other samples as an .npz with x and y",
        )
    settings = image_settings(_from_range(opened.input_range) if image is None else image, shape)
    settings = laid_out(settings, opened.input_shape, last)
    if not opened.is_float and own and own_settings(opened) != settings:
        raise StepforwardError(
            f"{opened.name} was quantized with other image settings than --image says",
            "leave --image out, or quantize the float model again with --image",
        )
    return settings


def _from_range(reach: tuple[float, float] | None) -> dict:
    """Image settings that fill the range of an input: 0 to 1, 0 to 255, or -1 to 1."""
    if reach is None:
        return {}
    low, high = reach
    if high > 100:
        return {"scale": 255}
    return {"mean": 0.5, "std": 0.5} if low < -0.5 and high < 1.5 else {}


def _assumed_scaling(opened: Source) -> str:
    """What was assumed, for people."""
    words = {"scale": "0 to 255 (scale=255)", "mean": "-1 to 1 (mean=0.5, std=0.5)"}
    made = next((words[name] for name in words if name in _from_range(opened.input_range)), None)
    if made is None:
        said = "pixels are divided by 255 (mean=0, std=1)"
    else:
        said = f"from the range of its input, pixels become {made}"
    return f"the model does not say how it reads images: {said}; trained with other scaling: --image mean=..,std=.."


def _channels_height_width(shape: tuple[int, ...], last: bool) -> tuple[int, int, int] | None:
    """Sizes of the images that a network reads, or None where its input is none.

    Args:
        last: whether channels come last, where either end could be them.
    """
    if len(shape) != 3:
        return None
    ends = [size in (1, 3) for size in (shape[0], shape[2])]
    if ends[1] and (last or not ends[0]):
        return shape[2], shape[0], shape[1]
    return shape if ends[0] else None


def _with_layout(opened: Source, settings: dict | None) -> tuple[dict | None, str]:
    """The settings to write, with the order of axes where the input's shape leaves it open, and a note about it."""
    known, shape = settings or own_settings(opened), opened.input_shape
    either = either_layout(known) or (
        settings is not None and len(shape) == 3 and all(size in (1, 3) for size in (shape[0], shape[2]))
    )
    if not either or "channels_last" in (opened.preprocessing or {}):
        return settings, ""
    last = known.get("channels_last", False)
    note = (
        f"the input of {opened.name}, {shape}, could be (C, H, W) or (H, W, C): it is read as "
        f"{'(H, W, C)' if last else '(C, H, W)'}; where that is wrong, add "
        f'"channels_last": {"false" if last else "true"} to its preprocessing (sf.set_preprocessing)'
    )
    return known | {"channels_last": last}, note


def _class_names(opened: Source, data: Any, classes: Classes | None, settings: dict) -> list[str] | None:
    """Names to write into the model, or None where it has its own or the data gives none."""
    count = opened.outputs
    if classes is not None:
        names = class_list(classes)
        if len(names) != count:
            raise StepforwardError(
                f"{len(names)} class names are given, and {opened.name} has {count} outputs",
                "give one name per output, in the order of the logits",
            )
        return names
    if opened.class_names or not holds_labels(data):
        return None
    names = labels_of(data, settings)
    if set(names) <= {str(number) for number in range(count)}:
        return None  # the numbers of the logits: nothing to assume
    if len(names) != count:
        raise StepforwardError(
            f"{data} has {len(names)} classes ({_shown(names)}), the network has {count} outputs, and {opened.name} "
            "does not name its classes",
            f"give all {count} names in the order of the outputs: --classes NAME,NAME,... or a file with one per line",
        )
    return names


def _remedy(opened: Source, data: Any) -> str:
    """The command that writes what was assumed, corrected where it is wrong, into a file."""
    words = ["stepforward", "quantize", opened.name, *opened.options, "--data", str(data)]
    words += ["--out", f"{Path(opened.name).stem}-16w8a.onnx"]
    if opened.class_names:
        words += ["--classes", classes_text(opened.class_names)]
    if (opened.preprocessing or {}).get("kind") == "image":
        words += ["--image", image_text(opened.preprocessing or {})]
    return shlex.join(words)


def _shown(names: list[str]) -> str:
    return ", ".join(names[:_MOST_SHOWN]) + (
        f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    )
