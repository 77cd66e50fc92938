"""Recordings: numbers by time and channel, with labels."""

from random import Random

from fuzz.mutate import TEXTS, mutated_bytes, mutated_text
from fuzz.place import as_file
from stepforward.data.windows import is_recording, read_windows, settings_for

SUFFIX = ".csv"
_STARTS = (
    "t,ax,ay,label\n" + "".join(f"{i},{i % 3},{-i / 7},{'sit' if i < 5 else 'walk'}\n" for i in range(12)),
    "activity;gx\r\nrun;1e-3\r\nrun;2\r\nwalk;-4.5\r\n",
)


def make(rng: Random) -> bytes:
    """A recording with one to three changes."""
    text = rng.choice(_STARTS)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if rng.random() < 0.6:
            lines = text.split("\n")
            at = rng.randrange(len(lines))
            fields = lines[at].split(",")
            fields[rng.randrange(len(fields))] = rng.choice((*TEXTS, "inf", "1e400", "label"))
            lines[at] = ",".join(fields)
            text = "\n".join(lines)
        else:
            text = mutated_text(rng, text)
    content = text.encode(rng.choice(("utf-8", "utf-8-sig", "utf-16")), "replace")
    return mutated_bytes(rng, content) if rng.random() < 0.3 else content


def read(content: bytes) -> None:
    """Its windows, by the settings that it suggests."""
    path = as_file(content, "motion.csv")
    if is_recording(path):
        settings = settings_for(path, (3, 2)) or settings_for(path, (2, 2)) or settings_for(path, (1, 2))
        if settings is not None:
            read_windows(path, settings, None)
