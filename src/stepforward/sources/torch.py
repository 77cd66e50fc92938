"""From a torch.nn.Module to a float graph, by torch's own ONNX exporter."""

import contextlib
import copy
import logging
import warnings
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.sources.onnx.file import check_interface
from stepforward.sources.torch_rnn import translations

OPSET = 21


def from_torch(module, example_input) -> ir.Model:
    """Export a module in evaluation mode; parameters keep their state_dict names. The module is not changed.

    Args:
        module: a torch.nn.Module from one float tensor (N, C, H, W), from token ids (N, tokens), or from several float
            tensors, to logits (N, classes), or to several tensors, as a tuple or by name: outputs of the model have
            these names, inputs those of the arguments of `forward`.
        example_input: an array or tensor of that input shape, whole numbers for ids; a tuple of them for several
            inputs. Only their shapes matter.

    Raises:
        StepforwardError: torch is not installed, or the module cannot be exported.
    """
    torch = _import_torch()
    examples = tuple(
        _example(torch, one)
        for one in (example_input if isinstance(example_input, tuple) else (example_input,))
    )
    module = copy.deepcopy(module).to(device="cpu", dtype=torch.float32).eval()
    module = module.to(memory_format=torch.contiguous_format)
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                examples,
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=({0: torch.export.Dim.AUTO},) * len(examples),
                optimize=False,  # it would merge equal parameters and drop zero biases
                verbose=False,
                output_names=_names(torch, module, examples),
                custom_translation_table=translations(),
            )
    except Exception as error:  # the exporter wraps whatever the module's forward raises
        raise StepforwardError(
            f"torch could not export {type(module).__name__}: {_reason(error)}",
            "check that the module runs on the example input and that torch.onnx.export accepts it",
        ) from error
    # Through the file format, so that nothing in the graph still points at torch's memory.
    model = ir.from_proto(ir.to_proto(program.model))
    check_interface(model, type(module).__name__)
    return model


def _example(torch, given):
    """Two samples of an input."""
    array = np.asarray(given)
    one = torch.as_tensor(array, dtype=torch.int64 if array.dtype.kind in "iu" else torch.float32)
    # An example of one sample would make the exporter treat a batch of one as a fact of the network.
    # Where channels lie last in memory, the exporter writes pools with strides of memory.
    return torch.cat([one[:1]] * 2).contiguous()


def _names(torch, module, examples):
    """Of several results that the module names itself, or None."""
    with torch.no_grad():
        found = module(*examples)
    if hasattr(found, "_asdict"):
        found = found._asdict()
    named = isinstance(found, Mapping) and all(isinstance(each, torch.Tensor) for each in found.values())
    return [str(name) for name in found] if named else None


def _import_torch():
    try:
        import onnxscript  # noqa: F401
        import torch
    except ImportError as error:
        raise StepforwardError(
            f"reading a torch module needs {error.name}, which is not installed",
            "pip install 'stepforward[torch]'",
        ) from error
    return torch


@contextlib.contextmanager
def _quiet():
    """Keep the exporter's remarks about its own internals away from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _reason(error):
    """The last line of the innermost exception: the exporter's own text is pages long."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
