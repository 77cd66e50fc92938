"""What files of a kind are called, how they start, and what to do about others."""

from collections.abc import Callable
from typing import NamedTuple

from stepforward.data import images, sounds


class Media(NamedTuple):
    """Files that a kind of preprocessing reads.

    Attributes:
        name: in messages.
        suffixes: their endings, in lower case.
        starts: whether a file is one of them, by its first 16 bytes.
        convert: how a person makes one of another file.
    """

    name: str
    suffixes: Callable[[], tuple[str, ...]]
    starts: Callable[[bytes], bool]
    convert: str


IMAGES = Media("images", images.suffixes, images.starts_like_an_image, "convert them to PNG or JPEG")
SOUNDS = Media(
    "sounds", sounds.suffixes, sounds.starts_like_a_sound, "convert them to WAV (ffmpeg -i FILE FILE.wav)"
)
FILES = Media("files", lambda: (), lambda head: True, "remove them")
