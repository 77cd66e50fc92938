"""The main verb: adapt a network to a user's data."""

from pathlib import Path
from typing import Any

from stepforward.adapt_fixed import adapt_fixed
from stepforward.prepare import prepare
from stepforward.progress import OnProgress
from stepforward.run_folder import open_run_folder, write_run
from stepforward.settings import Settings


def adapt(
    model: Any,
    data: Any,
    *,
    test: Any = None,
    out: str | Path | None = None,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    **options: Any,
) -> dict:
    """Adapt a network to labelled samples; on held-out samples the result is never worse than what was given.

    Args:
        model: path to an ONNX file (float or QDQ), or an `onnx_ir.Model` (see `from_torch`).
        data: folder, `.npz`, CSV, `Dataset`, or (x, y) arrays. Part of it is held out to choose the weights.
        test: the same kinds; measured before and after, used for nothing else.
        out: run folder: `result.json`, `journal`, `adapted.onnx`, `adapted.sfp`, `report.html`
            (and `base.onnx`, the quantized base, when a float model was given).
        resume: go on with the run in `out`; same model, data and options.
        on_progress: called after every step.
        options: fields of `settings.Settings`: train, bits, steps, minutes, directions, epsilon, lr, ...

    Returns:
        What `result.json` holds.

    Raises:
        StepforwardError: bad input, said before any work starts; or a disk that fills up.
    """
    settings = Settings(**options)
    prepared = prepare(model, data, test, settings)
    folder = open_run_folder(out, resume)
    if settings.method == "backprop":
        from stepforward.adapt_float import adapt_float  # needs torch, an extra

        result, graph, program = adapt_float(prepared, settings, on_progress)
    else:
        result, graph, program = adapt_fixed(prepared, settings, folder, resume, on_progress)
    result = {"model": prepared.opened.source, "data": _name(data), "test": _name(test), **result}
    if folder:
        write_run(folder, result, graph, program)
    return result


def _name(data: Any) -> str | None:
    if data is None:
        return None
    return str(data) if isinstance(data, (str, Path)) else "arrays"
