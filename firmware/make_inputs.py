"""Write what the microcontroller test links in: programs, training plans, journal settings, samples and labels.

python firmware/make_inputs.py build/firmware/inputs
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx_ir as ir
from kernel_network import LONG_SHAPE, SHAPE, kernel_network, long_network
from numpy.typing import NDArray
from small_network import samples, small_network
from step_network import STEP_SHAPE, step_network
from token_network import TOKEN_SHAPE, token_network

import stepforward
from stepforward.digits.clips import load_clips, model_path
from stepforward.inputs import quantize_input
from stepforward.journal import settings_text, written_by
from stepforward.lowering.lower import lower
from stepforward.plan import fileformat as plan_file
from stepforward.plan.make import fitting, for_training, with_forms
from stepforward.plan.masks import masked
from stepforward.plan.matching import MatchingPlan
from stepforward.plan.model import TrainingPlan
from stepforward.presets import with_preset
from stepforward.program import fileformat
from stepforward.program.model import Program
from stepforward.run.saliency import seek
from stepforward.settings import Settings
from stepforward.sources.open import open_source

CLIPS_PER_DIGIT = 10


def _settings(**given: Any) -> Settings:
    """The first release's, with the given ones in place of them: each run shows one thing more."""
    return Settings(**with_preset("first-release", given))


ONE_DIRECTION = _settings(steps=1, epsilon=8e-3, lr=3e-2, directions=1, share_batch=False, temperature=1.0)
"""Plain sign-SPSA, which the paper starts from."""


class Run(NamedTuple):
    """One run of a firmware: the files that it links under its name."""

    program: Program
    plan: TrainingPlan | MatchingPlan
    settings: dict
    x: NDArray[np.int8]
    y: NDArray[np.int32]


def _run(program: Program, trainable, settings: Settings, x, y) -> Run:
    masks = seek(program, trainable, settings, (x, y)).masks
    program, plan = for_training(program, trainable, settings)
    plan = masked(plan, masks)
    names = [program.tensors[entry.tensor].name for entry in plan.trainable]
    identity = {"base_sha256": program.weights_sha256, "trainable": names}
    header = settings.deciding() | identity | written_by()
    return Run(program, plan, header, x, y)


def small_runs(steps: int = 200) -> dict[str, Run]:
    """The small network: plain sign-SPSA, two directions with momentum, a head trained after a cut by directions that
    share the batch, fraction bits below its weights of 8 and 4 bits, steps that move the weights together, graded and
    curved votes, directions of some weights alone, guided directions, a move uphill before each step, Adam, and a last
    layer that moves by its gradient.
    """
    program = small_network()
    everything = range(program.parameter_count)
    chosen = {
        "plain": (everything, replace(ONE_DIRECTION, steps=steps, seed=11, schedule="constant")),
        "momentum": (
            everything,
            _settings(
                steps=steps,
                epsilon=8e-3,
                lr=6e-3,
                directions=2,
                share_batch=False,
                temperature=1.0,
                seed=2**40 + 5,
                momentum=0.9,
                rounding="stochastic",
                warmup=10,
            ),
        ),
        "fractions": (
            everything,
            _settings(
                steps=steps, epsilon=8e-3, lr=6e-3, directions=2, seed=3, momentum=0.5, low_bits="fraction-4"
            ),
        ),
        "together": (
            everything,
            _settings(steps=steps, epsilon=8e-3, lr=6e-3, directions=2, seed=4, low_bits="accumulate-8"),
        ),
        "graded": (
            everything,
            _settings(steps=steps, sizes="relative", votes="graded", directions=3, seed=6, momentum=0.5),
        ),
        "curved": (
            everything,
            _settings(steps=steps, sizes="relative", votes="curved", directions=4, seed=15, tail="exact"),
        ),
        "masked": (
            everything,
            _settings(steps=steps, sizes="relative", directions=2, seed=8, sparsity=0.75),
        ),
        "sampled": (
            everything,
            _settings(steps=steps, sizes="relative", directions=2, seed=9, sparsity=0.5, mask="random"),
        ),
        "salient": (
            everything,
            _settings(
                steps=steps,
                sizes="relative",
                directions=3,
                seed=14,
                sparsity=0.5,
                mask="saliency",
                votes="graded",
            ),
        ),
        "guided": (
            everything,
            _settings(steps=steps, sizes="relative", directions=3, seed=10, guide=0.6, votes="graded"),
        ),
        "sharp": (
            everything,
            _settings(steps=steps, sizes="relative", directions=3, seed=12, sharpness=2),
        ),
        "adam": (
            everything,
            _settings(steps=steps, sizes="relative", directions=2, seed=13, optimizer="adam", momentum=0.9),
        ),
        "tail": (
            everything,
            _settings(steps=steps, epsilon=8e-3, lr=6e-3, directions=2, seed=5, momentum=0.5, tail="exact"),
        ),
        "head": (
            everything[-4:],
            _settings(
                steps=steps,
                epsilon=8e-3,
                lr=3e-2,
                directions=3,
                seed=7,
                distribution="rademacher",
                perturbation="paper",
                rounding="floor",
                schedule="linear",
                temperature=1.0,
            ),
        ),
    }
    return {name: _run(program, *rest, *samples()) for name, rest in chosen.items()}


def digits_model() -> ir.Model:
    """The demo's speech network, quantized to QDQ ONNX on the demo's clips."""
    opened = open_source(model_path())
    return stepforward.quantize(opened, load_clips("adapt", opened.preprocessing).x)


def digits_run(steps: int = 200) -> Run:
    """The speech network, trained whole with the first release's settings, and one clip per digit of the speaker."""
    model = open_source(digits_model())
    clips = load_clips("adapt", model.preprocessing)
    program = lower(model.network())
    x = quantize_input(program, clips.x[::CLIPS_PER_DIGIT])
    y = clips.y[::CLIPS_PER_DIGIT].astype(np.int32)
    return _run(program, range(program.parameter_count), _settings(steps=steps), x, y)


def defaults_run(steps: int = 200) -> Run:
    """The speech network with the settings that `adapt` uses today: sixteen directions share sixteen clips."""
    model = open_source(digits_model())
    clips = load_clips("adapt", model.preprocessing)
    program = lower(model.network())
    everything = range(program.parameter_count)
    x = quantize_input(program, clips.x[:: len(clips.y) // 16][:16])
    y = clips.y[:: len(clips.y) // 16][:16].astype(np.int32)
    settings = with_forms(program, everything, Settings(steps=steps, batch=len(y)))
    return _run(program, everything, fitting(program, everything, settings), x, y)


def kernels_run(steps: int = 200) -> Run:
    """The network whose operators are counted one by one."""
    program = kernel_network()
    settings = replace(ONE_DIRECTION, steps=steps)
    return _run(program, range(program.parameter_count), settings, *(part[:2] for part in samples(SHAPE)))


def long_run(steps: int = 200) -> Run:
    """The network with rows longer than what is staged at once."""
    program = long_network()
    settings = replace(ONE_DIRECTION, steps=steps)
    return _run(
        program, range(program.parameter_count), settings, *(part[:2] for part in samples(LONG_SHAPE))
    )


def tokens_run(steps: int = 200) -> Run:
    """A block of a transformer."""
    program = token_network()
    settings = replace(ONE_DIRECTION, steps=steps)
    return _run(
        program, range(program.parameter_count), settings, *(part[:4] for part in samples(TOKEN_SHAPE))
    )


def recurrent_run(steps: int = 200) -> Run:
    """A GRU, an LSTM and a plain RNN."""
    program = step_network()
    settings = replace(ONE_DIRECTION, steps=steps)
    return _run(
        program, range(program.parameter_count), settings, *(part[:4] for part in samples(STEP_SHAPE))
    )


def write(folder: Path, runs: Mapping[str, Run]) -> None:
    """Write the files of every run under `folder`, as `inputs.S` and `stream_inputs.S` name them."""
    for name, run in runs.items():
        content = {
            "program.sfp": fileformat.to_bytes(run.program),
            "plan.sft": plan_file.to_bytes(run.plan),
            "settings.json": settings_text(run.settings),
            "samples.bin": run.x.tobytes(),
            "labels.bin": run.y.astype("<i4").tobytes(),
        }
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, data in content.items():
            (folder / name / file).write_bytes(data)


if __name__ == "__main__":
    large = {"digits": digits_run(), "defaults": defaults_run(), "kernels": kernels_run(), "long": long_run()}
    write(Path(sys.argv[1]), {**small_runs(), **large, "tokens": tokens_run(), "recurrent": recurrent_run()})
