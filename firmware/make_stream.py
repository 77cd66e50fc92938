"""Write what the example of a stream links in: a network, how it is matched, shifted images and their labels.

python firmware/make_stream.py build/firmware/inputs
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from make_inputs import digits_model
from numpy.typing import NDArray

from stepforward.digits.clips import load_clips
from stepforward.inputs import quantize_input
from stepforward.journal import settings_text, written_by
from stepforward.lowering.lower import lower
from stepforward.matching.plan import for_matching
from stepforward.matching.words import from_words
from stepforward.plan import fileformat as plan_file
from stepforward.plan.matching import MatchingPlan
from stepforward.program import fileformat
from stepforward.program.model import Program
from stepforward.sources.open import open_source

IMAGES, CLASSES = 200, 10


class Stream(NamedTuple):
    """The files that `stream_inputs.S` links."""

    program: Program
    plan: MatchingPlan
    settings: dict
    x: NDArray[np.int8]
    y: NDArray[np.int32]


def stream() -> Stream:
    """The demo's speech network, and spectrograms of its speaker with 0.4 of their contrast, one deviation brighter:
    another microphone. Digit after digit, 200 clips that the network's statistics were not measured on."""
    model = open_source(digits_model())
    program, clips = lower(model.network()), load_clips("test", model.preprocessing)
    order = np.argsort(np.arange(len(clips.y)) % (len(clips.y) // CLASSES), kind="stable")[:IMAGES]
    x = clips.x[order]
    shifted = x.mean() + np.float32(0.4) * (x - x.mean()) + x.std()
    plan = for_matching(program, from_words(model.statistics, program, model.name))
    settings = {"method": "match", "base_sha256": program.weights_sha256, **written_by()}
    return Stream(program, plan, settings, quantize_input(program, shifted), clips.y[order].astype(np.int32))


def write(folder: Path) -> None:
    """Write the files under `folder`, as `stream_inputs.S` names them."""
    made = stream()
    content = {
        "program.sfp": fileformat.to_bytes(made.program),
        "plan.sft": plan_file.to_bytes(made.plan),
        "settings.json": settings_text(made.settings),
        "samples.bin": made.x.tobytes(),
        "labels.bin": made.y.astype("<i4").tobytes(),
    }
    (folder / "stream").mkdir(parents=True, exist_ok=True)
    for file, data in content.items():
        (folder / "stream" / file).write_bytes(data)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
