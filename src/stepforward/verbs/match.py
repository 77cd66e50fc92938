"""Adapt without labels: `adapt --method match`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from stepforward.data.dataset import Dataset
from stepforward.data.function import Prepare
from stepforward.data.unlabelled import flat_files, has_no_labels
from stepforward.files import plain, write_atomically
from stepforward.program import fileformat
from stepforward.program.model import Program
from stepforward.report.matching import matching, write_page
from stepforward.run.complete import complete
from stepforward.run.folder import ADAPTED, ADAPTED_PROGRAM, REPORT, RESULT, claimed, remove_run, run_folder
from stepforward.run.given import Classes, Image
from stepforward.run.match import MatchResult, Samples, run_matching
from stepforward.run.prepare import load_data
from stepforward.run.progress import OnProgress
from stepforward.run.result import HIDDEN, values
from stepforward.run.samples import files_of, read_samples
from stepforward.settings import Settings
from stepforward.sources.onnx.fixed_inputs import FixedInputs
from stepforward.sources.open import open_source
from stepforward.sources.source import Source
from stepforward.verbs.result import Adapted


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Matched(Adapted, MatchResult):
    """The entries of `result.json` of a matching, by name or as attributes, and the network."""

    model: ir.Model | Source = field(metadata=HIDDEN)
    program: Program | None = field(metadata=HIDDEN)

    def drawing(self) -> Any:
        """A short table."""
        return matching(self)


def match(
    model: Any,
    data: Any,
    settings: Settings,
    *,
    test: Any = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    classes: Classes | None = None,
    image: Image | None = None,
    preprocess: str | Prepare | None = None,
    input_shape: str | Sequence[int] | None = None,
    output: str | None = None,
    fixed_inputs: FixedInputs | None = None,
    on_progress: OnProgress | None = None,
    command: str | None = None,
) -> Matched:
    """Match a quantized model to samples, with labels or without; arguments as of `adapt`.

    Args:
        data: as of `adapt`; or samples alone: a folder without sub-folders, an `.npz` with `x` only, an array.

    Raises:
        StepforwardError: bad input, said before any work starts.
    """
    folder = run_folder(out, False, overwrite)
    with claimed(folder, False, overwrite):
        opened = open_source(model, input_shape, output=output, fixed_inputs=fixed_inputs)
        opened, samples = _samples(opened, data, test, classes, image, preprocess)
        if folder and overwrite:
            remove_run(folder)
        result, adapted, program = run_matching(opened, samples, settings, folder, on_progress)
        result = replace(result, command=command)
        if folder:
            _write(folder, result, adapted, program)
    return Matched(**values(result), model=adapted.for_callers, program=program)


def _samples(
    opened: Source,
    data: Any,
    test: Any,
    classes: Classes | None,
    image: Image | None,
    preprocess: str | Prepare | None,
) -> tuple[Source, Samples]:
    """The model, completed, and its samples."""
    kind = {"kind": "function"} if preprocess else opened.preprocessing or {"kind": "image"}
    labelled = not has_no_labels(data, kind, opened.parts)
    if labelled:
        opened = complete(opened, data, classes, image, preprocess)
        dataset = load_data(opened, data, "test")
    else:
        given = flat_files(data, kind)
        files = files_of(given)
        opened = complete(opened, files[0] if files else None, classes, image, preprocess)
        x, sources = read_samples(opened, files, given)
        names = opened.class_names or tuple(str(number) for number in range(opened.outputs))
        dataset = Dataset(x, np.zeros(len(x), dtype=np.int64), names, tuple(sources))
    tested = None if test is None else load_data(opened, test, "test", "the test data")
    return opened, Samples(dataset, labelled, tested, _name(data), _name(test))


def _name(data: Any) -> str | None:
    if data is None:
        return None
    return str(data) if isinstance(data, (str, Path)) else "arrays"


def _write(folder: Path, result: MatchResult, adapted: Source, program: Program) -> None:
    """Everything but the journal, `result.json` last."""
    adapted.save(folder / ADAPTED)
    fileformat.save(program, folder / ADAPTED_PROGRAM)
    write_page(result, folder / REPORT)
    text = json.dumps(plain(result), indent=1, allow_nan=False) + "\n"
    write_atomically(folder / RESULT, text.encode())
