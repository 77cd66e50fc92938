"""How each task of `halves.py` is made."""

from collections.abc import Callable
from functools import partial

from learning.tasks import clothes, handwriting, images, keywords, speakers
from learning.tasks.halves import TASKS
from learning.tasks.task import Task

MAKERS: dict[str, Callable[[], Task]] = {
    "clothes-turned": partial(clothes.distorted, clothes.turned, 0, 0.2),
    "clothes-leaning": partial(clothes.distorted, clothes.leaning, 1320, 0.1),
    "keywords-white": partial(keywords.shifted, keywords.noisy(0, 5)),
    "keywords-slower": partial(keywords.shifted, keywords.faster(-25)),
    "keywords-pink": partial(keywords.shifted, keywords.noisy(1, 0)),
    "keywords-phone": partial(keywords.shifted, keywords.banded(600, 2400)),
    "writing-new-a": partial(handwriting.new_characters, 0),
    "writing-new-b": partial(handwriting.new_characters, 1),
    "writing-right": partial(handwriting.leaning, 0.9, 15, 1.0),
    "writing-left": partial(handwriting.leaning, -0.5, 0, 1.3),
}
"""Tasks whose names do not say it all."""


def make(name: str) -> Task:
    """A task by its name in `halves.TASKS`."""
    if name in MAKERS:
        return MAKERS[name]()
    if TASKS[name].kind == "speakers":
        return speakers.speaker(name.removeprefix("speaker-"))
    network, corruption, severity = name.split("-")
    return images.corrupted(network, corruption, int(severity))
