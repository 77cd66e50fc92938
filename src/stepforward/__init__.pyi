"""Adapt a trained network to your own data: forward passes only, in integers."""

from collections.abc import Collection, Sequence
from pathlib import Path
from stepforward.data.function import Prepare
from stepforward.run.given import Classes, Image
from stepforward.run.progress import OnProgress
from stepforward.sources.onnx.fixed_inputs import FixedInputs
from stepforward.verbs.match import Matched, match
from stepforward.verbs.result import Result
from typing import Any
from stepforward.data.dataset import Dataset as Dataset
from stepforward.settings import Settings as Settings
from stepforward.errors import StepforwardError as StepforwardError
from stepforward.verbs.check import check as check
from stepforward.verbs.evaluate import evaluate as evaluate
from stepforward.sources.torch import from_torch as from_torch
from stepforward.verbs.inspect import inspect as inspect
from stepforward.data.load import load as load
from stepforward.sources.onnx.file import load_onnx as load_onnx
from stepforward.verbs.predict import predict as predict
from stepforward.verbs.quantize import quantize as quantize
from stepforward.verbs.replay import replay as replay
from stepforward.sources.onnx.file import save_onnx as save_onnx
from stepforward.verbs.sensitivity import sensitivity as sensitivity
from stepforward.verbs.metadata import set_class_names as set_class_names
from stepforward.verbs.metadata import set_preprocessing as set_preprocessing

__version__: str

def adapt(model: Any, data: Any, *, test: Any=None, out: str | Path | None=None, resume: bool=False, overwrite: bool=False, classes: Classes | None=None, image: Image | None=None, preprocess: str | Prepare | None=None, input_shape: str | Sequence[int] | None=None, output: str | None=None, fixed_inputs: FixedInputs | None=None, on_progress: OnProgress | None=None, progress: bool=True, command: str | None=None, preset: str | None=None, train: str='all', steps: int | None=None, most_steps: int | None=None, balance: bool=False, bits: str='16w8a', calibration: str='minmax', wide: str='auto', minutes: float | None=None, threads: int | None=None, memory: str='fast', runtime: str='auto', method: str='qzo-ff', first_stage: str | None=None, ranges: str | None=None, head_start: str | None=None, bias_start: str | None=None, directions: int | None=None, share_batch: bool=True, votes: str | None=None, temperature: float | None=None, sizes: str='relative', bias_sizes: str='auto', epsilon: float | None=None, lr: float | None=None, batch: int | None=None, seed: int=0, momentum: float | None=None, optimizer: str='sgd', distribution: str='normal', perturbation: str='exact', rounding: str='nearest', sparsity: float=0.0, mask: str='magnitude', guide: float=0.0, sharpness: int=0, low_bits: str='auto', schedule: str='cosine', warmup: int=0, tail: str='auto', tail_layers: int=2, tail_rate: float=4.0, judge: str='training', validation: float=0.2, evaluate_every: int | None=None, patience: int | None=None) -> Result | Matched:
    """Adapt a network to labelled samples; on held-out samples the result is never worse than what was given.

    Args:
        model: path to an ONNX file (float, QDQ, or int8 of another tool) or a float or int8 TensorFlow Lite file, or
            an `onnx_ir.Model` (see `from_torch`).
        data: folder, `.npz`, CSV, `Dataset`, or (x, y) arrays. Part of it is held out to choose the weights.
        test: the same kinds; measured before and after, used for nothing else.
        out: run folder: `result.json`, `journal`, `adapted.onnx` (or `.tflite`), `adapted.sfp`,
            `report.html` (and `base.onnx`, the quantized base, when a float model was given).
        resume: resume the run in `out`; same model, data and options.
        overwrite: replace an earlier run in `out`, once everything given has been checked.
        classes: class names in the order of the logits, for a model that does not name them; default: the folders of
            the data in sorted order.
        image: how the network reads images, for a model that does not say it: a dictionary with mean, std, scale and
            fit, each optional (`run.given.image_settings`); default: pixels divided by 255.
        preprocess: your own function from the path of a file to one sample (float32, the shape of the network's input),
            or its name "module:function"; in place of what the model says.
        input_shape: of one sample, (C, H, W), for a model that leaves height or width open.
        output: of a model with several outputs the name of the one that holds the logits; default: the one called
            "logits", or the only one (N, classes). The others stay in the file; "only:NAME" leaves those of a float
            model out.
        fixed_inputs: a number for every input of a float model that is no sample, such as a rate or a flag:
            {"sr": 16000} or "sr=16000". The file keeps such inputs, and nothing reads them.
        on_progress: called after every step.
        progress: whether to show the progress on a terminal or in a notebook, where `on_progress` is not given.
        command: what to show as the command that makes this run again, where it is not `stepforward adapt`.
        preset: "paper": every setting as in the paper that the method is from (`presets.PRESETS`), but for `options`.
        options: settings by name (docs/settings.md): train, bits, steps, minutes, directions, epsilon, lr, ...

    Returns:
        What `result.json` holds, as attributes and by name, and the network: `save`, `predict`, `plot`, `model`,
        `program` (see `Result`).

    Raises:
        StepforwardError: bad input, said before any work starts; or a disk that fills up.
    """
    ...

def demo(out: str | Path | None=None, *, overwrite: bool=False, resume: bool=False, on_progress: OnProgress | None=None, train: str='all', steps: int | None=None, most_steps: int | None=None, balance: bool=False, bits: str='16w8a', calibration: str='minmax', wide: str='auto', minutes: float | None=None, threads: int | None=None, memory: str='fast', runtime: str='auto', method: str='qzo-ff', first_stage: str | None=None, ranges: str | None=None, head_start: str | None=None, bias_start: str | None=None, directions: int | None=None, share_batch: bool=True, votes: str | None=None, temperature: float | None=None, sizes: str='relative', bias_sizes: str='auto', epsilon: float | None=None, lr: float | None=None, batch: int | None=None, seed: int=0, momentum: float | None=None, optimizer: str='sgd', distribution: str='normal', perturbation: str='exact', rounding: str='nearest', sparsity: float=0.0, mask: str='magnitude', guide: float=0.0, sharpness: int=0, low_bits: str='auto', schedule: str='cosine', warmup: int=0, tail: str='auto', tail_layers: int=2, tail_rate: float=4.0, judge: str='training', validation: float=0.2, evaluate_every: int | None=None, patience: int | None=None) -> Result:
    """Adapt the shipped speech network to a new speaker, forward only, in integers.

    100 clips of the speaker (10 per digit) adapt it; 300 others measure it and are used for nothing else.

    Args:
        out: run folder, as of `adapt`.
        overwrite: replace the files of an earlier demo in `out`.
        resume: resume a stopped demo in `out`.
        on_progress: called after every step.
        options: of `adapt`, instead of the demo's own settings.
    """
    ...
