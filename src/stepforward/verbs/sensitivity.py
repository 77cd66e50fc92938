"""Where the accuracy goes when a network is quantized: layer by layer, measured on samples."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from stepforward.data.function import Prepare
from stepforward.data.rows import evenly
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.graph.nodes import copy_model
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.quantization.choose import Integers, Point, choose
from stepforward.quantization.formats import AUTO, QuantizationSettings, names
from stepforward.quantization.fusion import quantized_values
from stepforward.quantization.sensitivity import Tensor, alone, tensors
from stepforward.run.complete import complete
from stepforward.run.given import Classes, Image
from stepforward.run.prepare import load_data
from stepforward.run.samples import read_samples
from stepforward.scores import score_float
from stepforward.sources.onnx.fixed_inputs import FixedInputs
from stepforward.sources.open import open_source
from stepforward.sources.source import Source

SAMPLES = 200
"""That are measured, spread over the data."""

_SHARE = 0.05
"""Of all noise: an activation with less is not worth 16 bits."""

_MOST_SUGGESTED = 8


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Logits next to those of the float network.

    Attributes:
        decibels: signal to noise, 10 log10 of the logits' power over that of the difference, the mean of each sample's
            logits taken off both, which a softmax does not see; None where nothing differs.
        agreement: share of samples with the same largest logit.
        accuracy, loss: on the labels, in nats per sample; None without labels.
    """

    decibels: float | None
    agreement: float
    accuracy: float | None
    loss: float | None


@dataclass(frozen=True, kw_only=True)
class Rounded(Tensor):
    """A tensor, what rounding it alone does, and its share of all tensors' noise."""

    effect: Effect
    share: float


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What `sensitivity` measured.

    Attributes:
        model: as messages name it.
        bits: weights and activations.
        samples: that were measured.
        reference: the float network; of a quantized file, the network with the file's weights and no other rounding.
        whole: all of it in integers, as devices compute it.
        parts: decibels that the noise of all tensors adds up to, if they do not depend on each other.
        tensors: in the order of the network.
        suggested: names of activations to give 16 bits.
        with_suggested: the whole network with these; None where there are none, or the model is quantized already.
        command: that quantizes the model so; "" where nothing is suggested.
        notes: what a person should know.
    """

    model: str
    bits: str
    samples: int
    reference: Effect
    whole: Effect
    parts: float | None
    tensors: tuple[Rounded, ...]
    suggested: tuple[str, ...]
    with_suggested: Effect | None
    command: str
    notes: tuple[str, ...]


def sensitivity(
    model: Any,
    data: Any,
    *,
    bits: str = "16w8a",
    calibration: str = "minmax",
    wide: str = AUTO,
    classes: Classes | None = None,
    image: Image | None = None,
    preprocess: str | Prepare | None = None,
    input_shape: str | Sequence[int] | None = None,
    output: str | None = None,
    fixed_inputs: FixedInputs | None = None,
    samples: int = SAMPLES,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Sensitivity:
    """What quantizing costs, and which layers it costs it in.

    Every tensor that is stored in fixed point is rounded alone while the rest of the network runs in float32: the
    activations a layer gives, then its weights. Loss and signal to noise of the logits say what that does.

    Args:
        model: a float ONNX file, quantized here with ranges seen on the data, or a file that `quantize` wrote, whose
            weights then count as exact.
        data: folder, `.npz`, CSV, `Dataset`, (x, y) arrays, or samples without labels, float32 (N, C, H, W).
        bits, calibration, wide: of a float model, as of `quantize`.
        classes, image, preprocess, input_shape, output, fixed_inputs: as of `quantize`.
        samples: to measure; a float network runs once or twice for each layer on all of them.
        on_progress: told how much is done, and of how much.

    Raises:
        StepforwardError: bad model or data, or a model without a float form (TensorFlow Lite).
    """
    if samples < 1:
        raise StepforwardError(f"samples = {samples}", "give one or more")
    source = open_source(model, input_shape, output=output, fixed_inputs=fixed_inputs)
    if not source.is_float and ((bits, calibration) != ("16w8a", "minmax") or wide not in ("", AUTO)):
        raise StepforwardError(
            f"{source.name} is quantized already ({source.bits})",
            "leave out bits, calibration and wide, or give the float model",
        )
    source.float_model()  # a file without one is refused before the data are read
    source = complete(source, data, classes, image, preprocess)
    dataset = None if isinstance(data, np.ndarray) else load_data(source, data, "test")
    x = read_samples(source, [], data)[0] if dataset is None else dataset.x
    settings = QuantizationSettings.parse(bits, method=calibration, wide=names(wide))
    made = source.quantized(settings, x) if source.is_float else source
    chosen = evenly(len(x), samples)
    y = None if dataset is None else dataset.y[chosen]
    judged = _Judge(x[chosen].astype(np.float32, copy=False), y)

    graph, activations, parameters = _formats(source, made, x, settings)
    wanted = tensors(graph, activations, parameters)
    logits, rounded = alone(graph, judged.x, wanted, activations, parameters, on_progress)
    effects = {name: judged.effect(logits, found) for name, found in rounded.items()}
    noise = {name: _noise(effect) for name, effect in effects.items()}
    total = sum(noise.values())
    rows = tuple(
        Rounded(**vars(t), effect=effects[t.name], share=noise[t.name] / total if total else 0.0)
        for t in wanted
    )
    suggested = _suggested(rows)
    better = None
    if suggested and source.is_float:
        wider = replace(settings, wide=(*settings.wide, *suggested))
        better = judged.integers(logits, source.quantized(wider, x))
    return Sensitivity(
        model=source.name,
        bits=made.bits,
        samples=len(chosen),
        reference=judged.effect(logits, logits),
        whole=judged.integers(logits, made),
        parts=_decibels(total),
        tensors=rows,
        suggested=suggested,
        with_suggested=better,
        command=_command(source, made, settings, suggested),
        notes=(*made.notes, *(() if dataset is None else dataset.notes), *_notes(rows, source)),
    )


@dataclass(frozen=True)
class _Judge:
    x: NDArray[np.float32]
    y: NDArray[np.int64] | None

    def effect(self, reference: NDArray[np.floating], logits: NDArray[np.floating]) -> Effect:
        scored = None if self.y is None else score_float(logits, self.y)
        signal, difference = (
            _centred(values) for values in (reference, logits.astype(np.float64) - reference)
        )
        power = float((signal**2).sum())
        noise = float((difference**2).sum())
        return Effect(
            decibels=None if not noise or not power else 10 * math.log10(power / noise),
            agreement=float((reference.argmax(axis=1) == logits.argmax(axis=1)).mean()),
            accuracy=None if scored is None else scored.accuracy,
            loss=None if scored is None else scored.nats,
        )

    def integers(self, reference: NDArray[np.floating], made: Source) -> Effect:
        """The same of the program that devices run."""
        program = lower(made.network())
        output = program.tensors[program.output]
        q = logits_of(CoreEngine(program), quantize_input(program, self.x)).astype(np.float64)
        return self.effect(reference, (q - output.zero_point) * output.scale[0])


def _centred(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    logits = logits.astype(np.float64)
    return logits - logits.mean(axis=1, keepdims=True)


def _noise(effect: Effect) -> float:
    """Power of the difference, over that of the logits."""
    return 0.0 if effect.decibels is None else 10 ** (-effect.decibels / 10)


def _decibels(noise: float) -> float | None:
    return -10 * math.log10(noise) if noise else None


def _formats(
    source: Source, made: Source, x: np.ndarray, settings: QuantizationSettings
) -> tuple[ir.Graph, dict[str, Point], dict[str, Integers]]:
    """The float graph, the formats of its activations, and the integers of its parameters where they are not exact."""
    if source.is_float:
        graph = copy_model(source.float_model()).graph
        chosen = choose(graph, x, settings, table=source.table)
        return graph, chosen.activations, chosen.parameters
    graph, network = made.float_model().graph, made.network()
    formats = {
        name: Point(np.float32(form.scale), form.zero_point, {"s8": 8, "s16": 16}[form.dtype], name)
        for name, form in network.formats.items()
    }
    unknown = [value.name for value in quantized_values(graph) if value.name not in formats]
    if unknown:
        raise StepforwardError(
            f"{source.name} stores tensors at other places than its float form: {unknown[0]!r}",
            "give the float model it was made from",
        )
    return graph, formats, {}


def _suggested(rows: Sequence[Rounded]) -> tuple[str, ...]:
    """Activations that may have 16 bits, and have a share of the noise that is worth it; the loudest first."""
    able = [
        row
        for row in rows
        if row.kind == "activation" and row.bits == 8 and row.narrow is None and row.share >= _SHARE
    ]
    return tuple(row.name for row in sorted(able, key=lambda row: -row.share)[:_MOST_SUGGESTED])


def _command(source: Source, made: Source, settings: QuantizationSettings, suggested: Sequence[str]) -> str:
    if not suggested:
        return ""
    model = Path(source.name).name if source.is_float else "FLOAT.onnx"
    method = "" if settings.method == "minmax" else f" --calibration {settings.method}"
    wide = ",".join((*settings.wide, *suggested))
    return f"stepforward quantize {model} --data DATA --bits {made.bits}{method} --wide '{wide}' --out FILE"


def _notes(rows: Sequence[Rounded], source: Source) -> list[str]:
    notes = []
    if not source.is_float:
        notes.append(
            "the file's weights count as exact: to see what rounding them costs, give the float model it was made from"
        )
    weights = sum(row.share for row in rows if row.kind == "weights")
    if weights >= 0.5 and any(row.kind == "weights" and row.bits < 16 for row in rows):
        notes.append(
            f"{weights:.0%} of the noise comes from rounded weights: --bits 16w8a keeps more of them"
        )
    loudest = max(rows, key=lambda row: row.share, default=None)
    if (
        loudest is not None
        and loudest.share >= 0.3
        and loudest.kind == "activation"
        and loudest.narrow is not None
    ):
        notes.append(
            f"{loudest.share:.0%} of the noise comes from {loudest.name!r}, which stays at 8 bits: {loudest.narrow}; "
            "--calibration percentile or mse may give it finer steps"
        )
    return notes
