"""Training plans (.sft): words of every section change, sizes and the checksum are made right again."""

import struct
import zlib
from functools import cache
from pathlib import Path
from random import Random

from plain import plain

from fuzz.mutate import mutated_bytes, near
from stepforward.plan import fileformat
from stepforward.plan.make import plan_training
from stepforward.plan.matching import MatchingPlan, PlannedSite
from stepforward.program import fileformat as program_file

SUFFIX = ".sft"
GOLDEN = Path(__file__).parent.parent / "golden" / "arithmetic_1"
SETTINGS = (
    {},
    {"momentum": 0.9, "rounding": "stochastic"},
    {"perturbation": "paper", "directions": 1},
    {"momentum": 0.5, "low_bits": "fraction-4"},
    {"low_bits": "accumulate-3"},
    {"votes": "graded", "momentum": 0.9},
    {"sparsity": 0.5, "mask": "random"},
    {"guide": 0.5, "momentum": 0.5},
    {"sharpness": 2},
    {"optimizer": "adam", "momentum": 0.9},
    {"sparsity": 0.5, "mask": "magnitude"},
    {"votes": "graded", "low_bits": "fraction-2", "sizes": "relative"},
    {"votes": "curved", "sizes": "relative"},
)


@cache
def _starts() -> list[bytes]:
    programs = [program_file.load(GOLDEN / f"{name}.sfp") for name in ("s8", "s4")]
    plans = (
        plan_training(p, range(p.parameter_count), plain(steps=9, **s)) for p in programs for s in SETTINGS
    )
    matching = MatchingPlan((PlannedSite(0, (9, 5), (-5, 2**31 - 1), (7, 0)),), window=64)
    return [fileformat.to_bytes(plan) for plan in (*plans, matching, matching)]


def make(rng: Random) -> bytes:
    """A plan with one to three changes."""
    content = bytearray(rng.choice(_starts()))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        place = 4 * rng.randrange(4, len(content) // 4)
        struct.pack_into("<I", content, place, near(rng, struct.unpack_from("<I", content, place)[0]))
    if rng.random() < 0.05:
        content = bytearray(mutated_bytes(rng, bytes(content)))
    return sealed(content) if rng.random() < 0.98 else bytes(content)


def sealed(content: bytearray) -> bytes:
    """The file with its size and its checksum made right."""
    if len(content) >= 20:
        struct.pack_into("<2I", content, 8, len(content), zlib.crc32(content[16:]))
    return bytes(content)


def read(content: bytes) -> None:
    """Read a plan; what was read can be written and is the same."""
    plan = fileformat.from_bytes(content)
    assert fileformat.from_bytes(fileformat.to_bytes(plan)) == plan
