"""What a person says about a model in words: its class names, and how it reads images."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stepforward.data.preprocessing import check_preprocessing
from stepforward.errors import StepforwardError

Classes = str | Sequence[str]
Image = str | Mapping[str, object]

_IMAGE_KEYS = ("mean", "std", "scale", "fit", "levels")
_IMAGE_REMEDY = (
    "write KEY=VALUE pairs with commas between them, such as mean=0.485,0.456,0.406,std=0.229,0.224,0.225; "
    "scale=255 is for networks that read 0 to 255"
)


def class_list(classes: Classes) -> list[str]:
    """Class names in the order of the logits.

    Args:
        classes: a list of names; or text: names with commas between them (quoted as in a CSV), or the path of a
            file with one name per line.

    Raises:
        StepforwardError: a name is empty or appears twice, or the file cannot be read.

    >>> class_list('cat,"dog, wild",fox')
    ['cat', 'dog, wild', 'fox']
    """
    if isinstance(classes, str):
        names = _from_text(classes)
    else:
        names = [str(name) for name in classes]
    for name in names:
        if not name:
            raise StepforwardError(
                "one of the class names is empty", "give every class a name, in the order of the logits"
            )
        if names.count(name) > 1:
            raise StepforwardError(f"class name {name!r} appears twice", "give every class a name of its own")
    return names


def _from_text(text: str) -> list[str]:
    path = Path(text)
    if "," not in text and path.suffix and path.is_file():
        try:
            return [
                line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()
            ]
        except (OSError, UnicodeDecodeError) as error:
            raise StepforwardError(
                f"the class names in {path} cannot be read ({error})",
                "save it as UTF-8 text, one name per line",
            ) from error
    rows = list(csv.reader([text], skipinitialspace=True))
    return [name.strip() for name in (rows[0] if any(rows) else [""])]


def classes_text(names: Sequence[str]) -> str:
    """What `class_list` reads back.

    >>> classes_text(["cat", "dog, wild"])
    'cat,"dog, wild"'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def image_settings(image: Image, shape: tuple[int, ...]) -> dict:
    """Preprocessing settings of kind "image" for a network that reads `shape`.

    Args:
        image: a mapping, or text such as "mean=0.5,std=0.25": `mean` and `std` (one number, or one per channel;
            default 0 and 1), `scale` (what a white pixel is before the mean is subtracted; default 1), `fit` and
            `levels` (as of the preprocessing).
        shape: (C, H, W).

    Raises:
        StepforwardError: the text cannot be read, or the numbers do not fit the channels.

    >>> image_settings("mean=0.5,std=0.25", (1, 8, 8))
    {'kind': 'image', 'height': 8, 'width': 8, 'channels': 1, 'mean': [0.5], 'std': [0.25]}
    """
    given = _pairs(image) if isinstance(image, str) else dict(image)
    unknown = sorted(map(str, given.keys() - set(_IMAGE_KEYS)))
    if unknown:
        raise StepforwardError(
            f"image settings have no {unknown[0]!r}", f"choose from {', '.join(_IMAGE_KEYS)}; {_IMAGE_REMEDY}"
        )
    channels, height, width = shape
    scale = _numbers("scale", given.get("scale", 1), 1)[0]
    mean, std = (
        _numbers(name, given.get(name, default), channels) for name, default in (("mean", 0), ("std", 1))
    )
    if scale <= 0 or min(std) <= 0:
        raise StepforwardError("image settings: scale and std must be above 0", _IMAGE_REMEDY)
    settings = {
        "kind": "image",
        "height": height,
        "width": width,
        "channels": channels,
        "mean": [value / scale for value in mean],
        "std": [value / scale for value in std],
    }
    if "fit" in given:
        settings["fit"] = str(given["fit"])
    if "levels" in given:
        settings["levels"] = int(_numbers("levels", given["levels"], 1)[0])
    return check_preprocessing(settings)


def image_text(settings: dict) -> str:
    """What `image_settings` reads back, for the same shape.

    >>> image_text({"mean": [0.5, 0.5, 0.5], "std": [1.0, 2.0, 2.0]})
    'mean=0.5,std=1,2,2'
    """
    parts = []
    for name in ("mean", "std"):
        values = [f"{value:.17g}" if value != round(value, 6) else f"{value:g}" for value in settings[name]]
        parts.append(f"{name}={values[0] if len(set(values)) == 1 else ','.join(values)}")
    parts += [f"{name}={settings[name]}" for name in ("fit", "levels") if name in settings]
    return ",".join(parts)


def _pairs(text: str) -> dict[str, object]:
    """KEY=VALUE,VALUE,KEY=VALUE: a part without "=" belongs to the key before it."""
    pairs: dict[str, list[str]] = {}
    values = None
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if equals:
            values = pairs.setdefault(key.strip(), [])
            if values:
                raise StepforwardError(f"image settings give {key.strip()!r} twice", "give it once")
        if values is None:
            raise StepforwardError(f"image settings {text!r} cannot be read", _IMAGE_REMEDY)
        values.append((value if equals else part).strip())
    return {key: values if key != "fit" else ",".join(values) for key, values in pairs.items()}


def _numbers(name: str, value: object, count: int) -> list[float]:
    parts: Any = [value] if isinstance(value, str | int | float) else value
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (1, count) or not all(abs(number) < 1e9 for number in numbers):
        raise StepforwardError(
            f"image settings: {name} is {value!r}, not one number{f' or {count}' if count > 1 else ''}",
            _IMAGE_REMEDY,
        )
    return numbers * count if len(numbers) == 1 else numbers
