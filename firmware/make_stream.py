"""Write what the example of a stream links in: a network, how it is matched, shifted images and their labels.

python firmware/make_stream.py build/firmware/inputs
"""

import sys
from pathlib import Path

import numpy as np
from make_inputs import Run, digits_model, write

from stepforward.digits.clips import load_clips
from stepforward.inputs import quantize_input
from stepforward.journal import written_by
from stepforward.lowering.lower import lower
from stepforward.matching.plan import for_matching
from stepforward.matching.words import from_words
from stepforward.sources.open import open_source

IMAGES, CLASSES = 200, 10


def stream() -> Run:
    """The demo's speech network, and spectrograms of its speaker with 0.4 of their contrast, one deviation brighter:
    another microphone. Digit after digit, 200 clips that the network's statistics were not measured on."""
    model = open_source(digits_model())
    program, clips = lower(model.network()), load_clips("test", model.preprocessing)
    order = np.argsort(np.arange(len(clips.y)) % (len(clips.y) // CLASSES), kind="stable")[:IMAGES]
    x = clips.x[order]
    shifted = x.mean() + np.float32(0.4) * (x - x.mean()) + x.std()
    plan = for_matching(program, from_words(model.statistics, program, model.name))
    settings = {"method": "match", "base_sha256": program.weights_sha256, **written_by()}
    return Run(program, plan, settings, quantize_input(program, shifted), clips.y[order].astype(np.int32))


if __name__ == "__main__":
    write(Path(sys.argv[1]), {"stream": stream()})
