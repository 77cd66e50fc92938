"""Sound files: as much as is needed of them, mixed down to one channel, at the rate that is wanted."""

import contextlib
import io
import os
import string
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from stepforward.data.audio import resample
from stepforward.errors import StepforwardError

_RATES = (1000, 768000)  # what a recorder can have written; anything else is a damaged header
_WHOLE_SECONDS = 60  # a longer recording is read around its middle only
_MARGIN_SECONDS = 1  # read on both sides of that, where the resampling rings
_BLOCK = 2**20  # values decoded at a time: what a header claims is never allocated
_LOUDEST = 8.0  # of float samples meant for [-1, 1]; recordings that are too loud go a little above 1
_STREAMED = 0xFFFFFFFF  # the size that a writer into a pipe leaves; others leave 0
_ENDINGS = {
    "WAV": (".wav", ".wave"),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus"),
    "MP3": (".mp3",),
    "AIFF": (".aif", ".aiff", ".aifc"),
    "CAF": (".caf",),
    "AU": (".au", ".snd"),
    "W64": (".w64",),
    "RF64": (".rf64",),
}
_ESTIMATED = ("MP3", "OGG")  # formats whose header need not count the frames exactly


def suffixes() -> tuple[str, ...]:
    """File name endings of the formats that this installation of libsndfile decodes."""
    found = soundfile.available_formats()
    return tuple(ending for name, several in _ENDINGS.items() if name in found for ending in several)


def starts_like_a_sound(head: bytes) -> bool:
    """Whether a file of one of the formats that are read starts with these 16 bytes, whatever its name.

    >>> starts_like_a_sound(b"RIFF....WAVEfmt "), starts_like_a_sound(b"some text")
    (True, False)
    """
    if head[:4] in (b"RIFF", b"RF64"):
        return head[8:12] == b"WAVE"
    if head[:4] == b"FORM":
        return head[8:12] in (b"AIFF", b"AIFC")
    return head.startswith((b"fLaC", b"OggS", b"caff", b"ID3"))


def read_sound(
    path: str | Path, sample_rate: int, samples: int | None = None, remarks: list[str] | None = None
) -> NDArray[np.float64]:
    """Read a sound file, mix its channels down to one and resample it to `sample_rate`.

    Args:
        samples: how many around the middle will be used; of recordings above a minute no more is read than they need.
        remarks: takes what a person should know about this file.

    Returns:
        Waveform, float64, shape (n,); integer PCM is scaled to [-1, 1), and so are floats of 16-bit size.

    Raises:
        StepforwardError: the file cannot be read, is damaged, is empty, or holds NaN, Inf or values of unknown scale.
    """
    remarks = [] if remarks is None else remarks
    try:
        with open(path, "rb") as file:
            _check_whole(path, file)
            readable = _with_length(file, remarks)
            with soundfile.SoundFile(os.fsencode(path) if readable is file else readable) as sound:
                waveform, rate = _mixed_down(path, sound, sample_rate, samples, remarks), sound.samplerate
    except OSError as error:
        raise StepforwardError(f"cannot read {path}: {error.strerror}", "check the file") from error
    except (
        RuntimeError,
        TypeError,
    ) as error:  # libsndfile's; TypeError: a name that says nothing of the format
        raise StepforwardError(
            f"{path} is not a readable sound file ({error})",
            "convert it to WAV (ffmpeg -i FILE FILE.wav), record it again, or delete it",
        ) from error
    return resample(waveform, rate, sample_rate)


def _mixed_down(
    path: str | Path, sound: soundfile.SoundFile, sample_rate: int, samples: int | None, remarks: list[str]
) -> NDArray[np.float64]:
    again, frames, rate = "record it again, or delete it", sound.frames, sound.samplerate
    if not _RATES[0] <= rate <= _RATES[1]:
        raise StepforwardError(f"{path} claims {rate} samples per second", again)
    if frames <= 0:
        raise StepforwardError(f"{path} holds no samples", again)
    first, count = 0, frames
    if samples is not None:
        needed = -(-samples * rate // sample_rate)
        if frames > 2 * needed:
            remarks.append(
                f"of recordings more than twice as long only the middle {samples / sample_rate:g} s are used"
            )
        if frames > _WHOLE_SECONDS * rate:
            count = min(frames, needed + 2 * _MARGIN_SECONDS * rate)
            first = (frames - count) // 2
    peak, whole = 0.0, sound.subtype in ("FLOAT", "DOUBLE")
    short = StepforwardError(
        f"{path} is damaged or cut short: its header claims {frames:,} samples, {frames / rate:,.0f} s", again
    )
    blocks = []
    try:
        for channels in _blocks(sound, first, count):
            if not np.isfinite(channels).all():
                raise StepforwardError(
                    f"{path} holds NaN or Inf", "write it again as 16-bit PCM, or delete it"
                )
            peak = max(peak, float(np.abs(channels).max()))
            whole = whole and bool((channels == np.rint(channels)).all())
            blocks.append(channels.mean(axis=1))
    except RuntimeError as error:  # libsndfile's
        raise short from error
    waveform = np.concatenate(blocks) if blocks else np.zeros(0)
    if not len(waveform) or (len(waveform) < count and sound.format not in _ESTIMATED):
        raise short
    if peak > _LOUDEST or (whole and peak >= 2):  # the second: a quiet recording among scaled ones
        if peak > 2**15:
            raise StepforwardError(
                f"{path} holds values up to {peak:g}, which is neither [-1, 1] nor the range of 16 bits",
                "write it again as 16-bit PCM, or as floats in [-1, 1]",
            )
        remarks.append("float samples of 16-bit size were divided by 32,768")
        waveform /= 2.0**15
    return waveform


def _blocks(sound: soundfile.SoundFile, first: int, count: int) -> Iterator[NDArray[np.float64]]:
    """Up to `count` frames from `first` on, shape (n, channels) each, as far as the file has them."""
    sound.seek(first)
    while count:
        block = sound.read(min(max(_BLOCK // sound.channels, 1), count), dtype="float64", always_2d=True)
        if not len(block):
            return
        count -= len(block)
        yield block


def _check_whole(path: str | Path, file: BinaryIO) -> None:
    """Refuse a RIFF file shorter than its header says: the decoder would read what is there and say nothing."""
    head, size = file.read(8), os.fstat(file.fileno()).st_size
    file.seek(0)
    claimed = int.from_bytes(head[4:8], "little") + 8
    # Writers into a pipe leave a huge size; some count a few bytes too many.
    if head[:4] == b"RIFF" and size + 8 < claimed < 0x7FFFFF00:
        raise StepforwardError(
            f"{path} is cut short: {size:,} bytes of {claimed:,}", "copy or record it again, or delete it"
        )


def _with_length(file: BinaryIO, remarks: list[str]) -> BinaryIO | io.RawIOBase:
    """The file; where a WAV was written into a pipe or never closed, with the length of its samples put in."""
    size, at, head = os.fstat(file.fileno()).st_size, 12, file.read(12)
    while head[:4] == b"RIFF" and head[8:] == b"WAVE" and at + 8 <= size:
        file.seek(at)
        chunk = file.read(8)
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            if length == _STREAMED or (length == 0 and not _is_chunk(file.read(8), size - at - 16)):
                remarks.append("the header gives no length: read to the end of the file")
                rest = min(size - at - 8, _STREAMED - 1)
                file.seek(0)
                return _Overlaid(file, at + 4, rest.to_bytes(4, "little"))
            break
        at += 8 + length + length % 2
    file.seek(0)
    return file


def _is_chunk(head: bytes, rest: int) -> bool:
    """Whether what follows an empty data chunk is the end of the file or another chunk, not samples."""
    printable = all(chr(byte) in string.printable for byte in head[:4])
    return len(head) < 8 or (printable and int.from_bytes(head[4:], "little") <= rest)


class _Overlaid(io.RawIOBase):
    """A file that reads as if some of its bytes were others."""

    def __init__(self, file: BinaryIO, at: int, content: bytes):
        super().__init__()
        self._file, self._at, self._content = file, at, content

    def seek(self, offset: int, whence: int = 0) -> int:
        with contextlib.suppress(OSError, ValueError):  # before the start: libsndfile sees that nothing moved
            self._file.seek(offset, whence)
        return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        start = self._file.tell()
        content = bytearray(self._file.read(len(buffer)))
        for position, byte in enumerate(self._content, self._at - start):
            if 0 <= position < len(content):
                content[position] = byte
        buffer[: len(content)] = content
        return len(content)
