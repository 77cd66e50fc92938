"""What labelled files say before they are read: their class names, and whether they are images or sounds."""

from collections.abc import Iterable
from pathlib import Path

from stepforward.data.csv_list import list_csv
from stepforward.data.listing import list_folder
from stepforward.data.windows import labels_of_recording

_IMAGES = {".bmp", ".gif", ".jpe", ".jpeg", ".jfif", ".jpg", ".png", ".tif", ".tiff", ".webp"}
_SOUNDS = {".aac", ".aif", ".aiff", ".amr", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav", ".webm", ".wma"}


def holds_labels(data: object) -> bool:
    """Whether `data` is the path of a folder or of a CSV, whose labels are names."""
    if not isinstance(data, (str, Path)):
        return False
    path = Path(data)
    return path.is_dir() or (path.suffix.lower() == ".csv" and path.is_file())


def holds_media(data: object) -> bool:
    """Whether `data` is the path of an image, of a sound, or of labelled files."""
    is_file = isinstance(data, (str, Path)) and Path(data).suffix.lower() in _IMAGES | _SOUNDS
    return is_file or holds_labels(data)


def labels_of(path: str | Path, settings: dict) -> list[str]:
    """The class names of a folder or a CSV, sorted.

    Args:
        settings: preprocessing settings of the kind that reads these files.

    Raises:
        StepforwardError: the folder or the CSV cannot be used.
    """
    path = Path(path)
    if settings["kind"] == "windows" and path.suffix.lower() == ".csv":
        return labels_of_recording(path, settings)
    files = list_folder(path, settings).files if path.is_dir() else list_csv(path)
    return sorted({file.label for file in files})


def holds_sounds(path: str | Path) -> bool:
    """Whether a file is a sound, or there are sounds in a folder or a CSV."""
    path = Path(path)
    files: Iterable[Path] = [path]
    if path.is_dir():
        files = path.glob("*/*")
    elif holds_labels(path):
        files = (file.path for file in list_csv(path))
    return any(file.suffix.lower() in _SOUNDS for file in files)
