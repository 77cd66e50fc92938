"""What labelled files say before they are read: their class names, and whether they are images or sounds."""

from pathlib import Path

from stepforward.data.listing import list_csv, list_folder

_SOUNDS = {".aac", ".aif", ".aiff", ".amr", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav", ".webm", ".wma"}


def holds_files(data: object) -> bool:
    """Whether `data` is the path of a folder or of a CSV, whose labels are names."""
    if not isinstance(data, (str, Path)):
        return False
    path = Path(data)
    return path.is_dir() or (path.suffix.lower() == ".csv" and path.is_file())


def labels_of(path: str | Path, settings: dict) -> list[str]:
    """The class names of a folder or a CSV, sorted.

    Args:
        settings: preprocessing settings of the kind that reads these files.

    Raises:
        StepforwardError: the folder or the CSV cannot be used.
    """
    path = Path(path)
    files = list_folder(path, settings) if path.is_dir() else list_csv(path)
    return sorted({file.label for file in files})


def holds_sounds(path: str | Path) -> bool:
    """Whether the first media of a folder or a CSV are sounds."""
    path = Path(path)
    files = path.glob("*/*") if path.is_dir() else (file.path for file in list_csv(path))
    return any(file.suffix.lower() in _SOUNDS for file in files)
