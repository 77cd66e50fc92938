"""Which files a folder with one sub-folder per class holds, and what they show."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from stepforward.data import preprocessing as prep
from stepforward.data.files import LabelledFile
from stepforward.data.names import same_spelling
from stepforward.errors import StepforwardError

_LEFT_BY_SYSTEMS = {
    "thumbs.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "@eadir",
}  # next to names with a dot in front


class Listing(NamedTuple):
    """The samples of a folder, the other files in its class folders, and the samples outside of class folders."""

    files: list[LabelledFile]
    skipped: list[Path]
    unlabelled: list[Path]


def list_folder(folder: Path, settings: dict) -> Listing:
    """What a folder with one sub-folder per class holds, sorted by class and file name.

    Folders inside a class folder belong to the class. Hidden files and what systems leave behind do not count.

    Raises:
        StepforwardError: no class folders, or one without a file the model reads.
    """
    if not prep.reads_files(settings):
        prep.read(settings, folder)  # raises: this model reads no files
    entries = _visible(folder)
    classes = [entry for entry in entries if entry.is_dir()]
    loose = [entry for entry in entries if not entry.is_dir() and _is_sample(entry, settings)]
    if not classes:
        held = f": {len(loose)} {prep.MEDIA[settings['kind']].name} without labels" if loose else ""
        raise StepforwardError(
            f"{folder} has no sub-folders{held}",
            "put the samples into one sub-folder per class, named like the class, or give a CSV of path,label",
        )
    listing = Listing([], [], loose)
    for entry in classes:
        _add_class(entry, settings, listing)
    return listing


def loose_samples(folder: Path, settings: dict) -> list[Path]:
    """The samples that lie in a folder itself, sorted by name; none where the model reads no files."""
    if not prep.reads_files(settings):
        return []
    return [entry for entry in _visible(folder) if not entry.is_dir() and _is_sample(entry, settings)]


def _add_class(folder: Path, settings: dict, listing: Listing) -> None:
    label, files, skipped = same_spelling(folder.name), [], []
    for file in sorted(_below(folder, set()), key=lambda file: file.relative_to(folder).parts):
        if _is_sample(file, settings):
            source = f"{folder.name}/{file.relative_to(folder).as_posix()}"
            files.append(LabelledFile(file, label, source, str(file)))
        else:
            skipped.append(file)
    if not files:
        kind = prep.MEDIA[settings["kind"]]
        held = f" but {endings(skipped)}" if skipped else ""
        raise StepforwardError(
            f"class folder {folder} holds no {kind.name} this model reads{held}",
            f"{kind.convert}, or remove the folder" if skipped else "add samples, or remove the folder",
        )
    listing.files.extend(files)
    listing.skipped.extend(skipped)


def endings(files: Iterable[Path]) -> str:
    """How many files there are of each ending.

    >>> endings([Path("a.heic"), Path("b.HEIC"), Path("c")])
    '2 .heic, 1 without an ending'
    """
    counts = Counter(file.suffix.lower() or "without an ending" for file in files)
    return ", ".join(f"{count} {ending}" for ending, count in counts.most_common())


def _is_sample(file: Path, settings: dict) -> bool:
    """Whether the model reads this file, by its ending or else by how its content starts."""
    media, is_file = prep.MEDIA[settings["kind"]], file.is_file()
    if not is_file and file.exists():
        return False  # a pipe or a device
    if file.suffix.lower() in media.suffixes():
        return True  # also a broken link: it is told when it is read
    if not is_file:
        return False
    try:
        with file.open("rb") as content:
            return media.starts(content.read(16))
    except OSError:
        return False


def _below(folder: Path, seen: set[Path]) -> Iterable[Path]:
    """Every visible file below a folder; a link back up is followed once."""
    here = folder.resolve()
    if here in seen:
        return
    seen.add(here)
    for entry in _visible(folder):
        if entry.is_dir():
            yield from _below(entry, seen)
        else:
            yield entry


def _visible(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise StepforwardError(f"cannot read {folder}: {error.strerror}", "check its permissions") from error
    return [
        entry
        for entry in entries
        if not entry.name.startswith(".") and entry.name.lower() not in _LEFT_BY_SYSTEMS
    ]
