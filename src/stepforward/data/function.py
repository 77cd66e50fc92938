"""Preprocessing by a function of the caller's: from the path of a file to one sample.

The function comes from the arguments of a verb only. A model file names none: opening one must never run code.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepforward.data.rows import rows_of
from stepforward.data.tokens import TABLE, vectors
from stepforward.errors import StepforwardError

Prepare = Callable[[str], Any]


def find_function(preprocess: str | Prepare) -> Prepare:
    """The function itself, imported where it is given as "module:function"; the current folder is searched first.

    Raises:
        StepforwardError: no such module or function, or the module fails while it is imported.
    """
    if callable(preprocess):
        return preprocess
    module, colon, name = str(preprocess).partition(":")
    if not (module and colon and name):
        raise StepforwardError(
            f"preprocess is {preprocess!r}", "write module:function, such as my_package.my_module:prepare"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(importlib.import_module(module), name, None)
    except Exception as error:
        raise StepforwardError(
            f"preprocess {preprocess!r}: {module} cannot be imported ({type(error).__name__}: {error})",
            "check the name of the module, and that it can be imported from this folder",
        ) from error
    finally:
        sys.path.pop(0)
    if not callable(function):
        raise StepforwardError(
            f"preprocess {preprocess!r}: {module} has no function {name!r}", "check its name"
        )
    return function


def function_name(preprocess: str | Prepare) -> str:
    """How a record names the function: "module:function".

    >>> function_name(find_function)
    'stepforward.data.function:find_function'
    """
    if isinstance(preprocess, str):
        return preprocess
    return f"{getattr(preprocess, '__module__', '?')}:{getattr(preprocess, '__qualname__', repr(preprocess))}"


def function_settings(prepare: Prepare, shape: tuple[int, ...]) -> dict:
    """Preprocessing settings that call `prepare` for every file; they cannot be written into a model file."""
    return {"kind": "function", "function": prepare, "shape": tuple(shape)}


def call_function(settings: dict, path: str | Path) -> NDArray[np.float32]:
    """One sample: what the function makes of a file, or what the ids that it makes of it stand for.

    Returns:
        float32, of the shape the network reads.

    Raises:
        StepforwardError: the function fails, or gives anything but finite numbers of that shape.
    """
    name, shape, table = function_name(settings["function"]), settings["shape"], settings.get(TABLE)
    try:
        sample = np.asarray(settings["function"](str(path)))
    except StepforwardError:
        raise
    except Exception as error:
        raise StepforwardError(
            f"{path}: {name} fails on it ({type(error).__name__}: {error})",
            "correct the function, or remove the file",
        ) from error
    if table is not None:
        return vectors(f"{path}: {name}", rows_of(sample[None]), table, shape)[0]
    if sample.shape != shape or sample.dtype.kind not in "fiu":
        raise StepforwardError(
            f"{path}: {name} gives {sample.dtype} of shape {sample.shape}, and the network reads {shape}",
            "let it return a float32 array of that shape",
        )
    with np.errstate(over="ignore"):
        sample = sample.astype(np.float32)
    if not np.isfinite(sample).all():
        raise StepforwardError(f"{path}: {name} gives NaN or Inf", "correct the function, or remove the file")
    return sample
