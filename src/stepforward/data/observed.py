"""What a person should know about the samples that were read, gathered while they are read."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stepforward.data import preprocessing as prep
from stepforward.data.images import share_cut
from stepforward.data.listing import endings

_MOST_CUT = 1 / 3
_DEPTHS = (8, 10, 12, 14)  # bits that cameras use of 16


class Observed:
    """Samples seen so far; `notes` says what stands out."""

    def __init__(self, settings: dict):
        self.settings = settings
        self.remarks: dict[str, list[str]] = {}
        self.cuts: list[float] = []
        self.deep = self.largest = 0

    def see(self, raw: NDArray, source: str, remarks: Iterable[str] = ()) -> None:
        """Take note of one sample.

        Args:
            raw: what `preprocessing.read` gave.
            source: its short name.
            remarks: what the reader had to say about it.
        """
        for remark in remarks:
            self.remarks.setdefault(remark, []).append(source)
        if self.settings["kind"] == "image":
            self.cuts.append(share_cut(raw.shape, self.settings))
            if raw.dtype == np.uint16:
                self.deep += 1
                self.largest = max(self.largest, int(raw.max()))

    def notes(self, where: str) -> tuple[str, ...]:
        """One sentence for each thing that stands out; `where` names the data."""
        found = [
            f"{where}: {len(sources)} {'file' if len(sources) == 1 else 'files'}, such as {sources[0]}: {remark}"
            for remark, sources in self.remarks.items()
        ]
        cut = sum(self.cuts) / len(self.cuts) if self.cuts else 0
        if cut > _MOST_CUT:
            found.append(
                f"{where}: the centre crop cuts away {cut:.0%} of the image area on average; if the network was "
                'trained on whole images, add "fit": "squash" or "letterbox" to its image preprocessing'
            )
        return (*found, *self._depth_notes(where))

    def _depth_notes(self, where: str) -> list[str]:
        levels = self.settings.get("levels")
        used = next((bits for bits in _DEPTHS if self.largest < 2**bits), None)
        if self.deep and levels is None and used:
            return [
                f"{where}: the largest value of {self.deep} 16-bit images is {self.largest:,} of 65,535, so the "
                f'network sees them almost black; if white is {2**used - 1:,}, add "levels": {2**used - 1} '
                "to its image preprocessing"
            ]
        if self.deep and levels is not None and self.largest > levels:
            return [
                f"{where}: values up to {self.largest:,} are above levels, {levels:,}, and count as white"
            ]
        return []


def left_out(where: str, settings: dict, skipped: list[Path], unlabelled: list[Path]) -> tuple[str, ...]:
    """Notes about the files of a folder that are not among its samples."""
    media, found = prep.MEDIA[settings["kind"]], []
    if skipped:
        files = "1 file is" if len(skipped) == 1 else f"{len(skipped)} files are"
        found.append(
            f"{where}: {files} skipped ({endings(skipped)}), such as {skipped[0]}: not {media.name} that can be read "
            f"here; {media.convert}, or remove them"
        )
    if unlabelled:
        found.append(
            f"{where}: {len(unlabelled)} {media.name} are skipped that lie next to the class folders, "
            f"such as {unlabelled[0].name}"
        )
    return tuple(found)
