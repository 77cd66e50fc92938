"""The tasks by name: what they are, and which half they are in. `table.py` makes them.

One half chooses the defaults of the release, the other is reported and chooses nothing. The halves were drawn before
the first figure, each kind in both of them. Conditions that earlier measurements had in view (the demo's speaker,
Gaussian noise, contrast, fog, defocus blur, pixelate, rotated clothes) are on the choosing side; of the two speakers
that prototypes looked at, one is on either side.
"""

from collections.abc import Iterable
from fnmatch import fnmatch
from typing import NamedTuple

CHOOSING, REPORTED = "choosing", "reported"

CORRUPTIONS = {
    **dict.fromkeys(
        ("gaussian_noise", "defocus_blur", "motion_blur", "fog", "brightness", "contrast"), CHOOSING
    ),
    "pixelate": CHOOSING,
    **dict.fromkeys(("shot_noise", "impulse_noise", "glass_blur", "zoom_blur", "snow", "frost"), REPORTED),
    **dict.fromkeys(("elastic_transform", "jpeg_compression"), REPORTED),
}
"""All fifteen, for either network and severity."""

LABELLED = {
    ("resnet8", 5): ("gaussian_noise", "defocus_blur", "fog", "contrast"),
    ("resnet20", 5): ("gaussian_noise", "contrast", "impulse_noise", "frost"),
    ("resnet20", 3): ("motion_blur", "shot_noise"),
}  # fmt: skip
LABELLED["resnet8", 5] += ("impulse_noise", "glass_blur", "frost", "jpeg_compression")
"""Those that run when no tasks are named."""


class Entry(NamedTuple):
    """A task of the table.

    Attributes:
        kind: tasks of one kind share a network and the start of the search for rates.
        half: `CHOOSING` or `REPORTED`.
        words: what it is, for the tables.
        always: whether it runs when no tasks are named.
    """

    kind: str
    half: str
    words: str
    always: bool = True


def _images() -> dict[str, Entry]:
    return {
        f"{network}-{corruption}-{severity}": Entry(
            network,
            half,
            f"ResNet-{network.removeprefix('resnet')}, {corruption.replace('_', ' ')} {severity}",
            corruption in LABELLED.get((network, severity), ()),
        )
        for network in ("resnet8", "resnet20")
        for severity in (5, 3)
        for corruption, half in CORRUPTIONS.items()
    }


TASKS: dict[str, Entry] = {
    "speaker-lucas": Entry("speakers", CHOOSING, "digits, speaker lucas (the demo's)"),
    "speaker-george": Entry("speakers", CHOOSING, "digits, speaker george"),
    "speaker-jackson": Entry("speakers", REPORTED, "digits, speaker jackson"),
    "speaker-nicolas": Entry("speakers", REPORTED, "digits, speaker nicolas"),
    "clothes-turned": Entry("clothes", CHOOSING, "Fashion-MNIST, rotated, noisy"),
    "clothes-leaning": Entry("clothes", REPORTED, "Fashion-MNIST, sheared, dark, noisy"),
    **_images(),
    "keywords-white": Entry("keywords", CHOOSING, "keywords, white noise 5 dB"),
    "keywords-slower": Entry("keywords", CHOOSING, "keywords, 25 % slower and lower"),
    "keywords-pink": Entry("keywords", REPORTED, "keywords, pink noise 0 dB"),
    "keywords-phone": Entry("keywords", REPORTED, "keywords, narrow channel, echo"),
    "writing-new-a": Entry("writing", CHOOSING, "20 new characters, 5 drawings each"),
    "writing-new-b": Entry("writing", REPORTED, "20 other new characters"),
    "writing-right": Entry("writing", CHOOSING, "50 known characters, leaning right"),
    "writing-left": Entry("writing", REPORTED, "50 known characters, leaning left, narrow"),
}


def chosen(words: Iterable[str]) -> list[str]:
    """Names of the tasks that words mean: a name, a pattern of names, a kind, or a half; none for the usual ones.

    Raises:
        SystemExit: a word means none.

    >>> chosen(["speaker-*"])
    ['speaker-lucas', 'speaker-george', 'speaker-jackson', 'speaker-nicolas']
    """
    usual = [name for name, entry in TASKS.items() if entry.always]
    found: list[str] = []
    for word in words:
        meant = [name for name in usual if word in (TASKS[name].kind, TASKS[name].half)]
        meant = meant or [name for name in TASKS if fnmatch(name, word)]
        if not meant:
            raise SystemExit(f"no task is called {word!r}; give a name or pattern of: {', '.join(TASKS)}")
        found += meant
    return list(dict.fromkeys(found)) or usual
