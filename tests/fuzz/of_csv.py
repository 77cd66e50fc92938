"""Lists of files with labels."""

from random import Random

from fuzz.mutate import TEXTS, mutated_bytes, mutated_text
from fuzz.place import as_file, folder
from stepforward.data.csv_list import list_csv

SUFFIX = ".csv"
_STARTS = (
    "path,label\na.png,yes\nb.png,no\n",
    "a.png;yes\r\nb.png;no\r\n",
    'file\tnote\tclass\na.png\t"x\ty"\tyes\nb.png\t\tno\n',
    '"a.png","yes"\n"b.png","no"\n',
)


def make(rng: Random) -> bytes:
    """A list with one to three changes, in one of the encodings that spreadsheets write."""
    text = rng.choice(_STARTS)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if rng.random() < 0.5:
            lines = text.split("\n")
            at = rng.randrange(len(lines))
            fields = lines[at].split(",")
            fields[rng.randrange(len(fields))] = rng.choice(TEXTS)
            lines[at] = ",".join(fields)
            text = "\n".join(lines)
        else:
            text = mutated_text(rng, text)
    content = text.encode(rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16")), "replace")
    return mutated_bytes(rng, content) if rng.random() < 0.4 else content


def read(content: bytes) -> None:
    """The files of a list; two of them are there."""
    for name in ("a.png", "b.png"):
        if not (folder() / name).exists():
            as_file(b"", name)
    list_csv(as_file(content, "list.csv"))
