"""Adapt a trained network to your own data: forward passes only, in integers.

The verbs, the same as on the command line:

    check      supported or not, what stands in the way, what a device needs
    quantize   choose a fixed-point format for every tensor of a float network
    inspect    operators, formats, memory, trainable tensors
    sensitivity  where quantizing costs accuracy, layer by layer (inspect --sensitivity)
    evaluate   accuracy and loss on labelled data
    adapt      train on a user's samples; returns weights that are never worse on held-out samples
    predict    classes and probabilities of samples without labels
    replay     rebuild an adapted network from its base and a journal
    demo       all of it on real speech that ships with the package
"""

__version__ = "0.1.0"

_HOME = {
    "Dataset": "data.dataset",
    "Settings": "settings",
    "StepforwardError": "errors",
    "adapt": "verbs.adapt",
    "check": "verbs.check",
    "demo": "verbs.demo",
    "evaluate": "verbs.evaluate",
    "from_torch": "sources.torch",
    "inspect": "verbs.inspect",
    "load": "data.load",
    "load_onnx": "sources.onnx.file",
    "predict": "verbs.predict",
    "quantize": "verbs.quantize",
    "replay": "verbs.replay",
    "save_onnx": "sources.onnx.file",
    "sensitivity": "verbs.sensitivity",
    "set_class_names": "verbs.metadata",
    "set_preprocessing": "verbs.metadata",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    """Import a verb when it is first used, so that `stepforward --help` answers at once."""
    if name not in _HOME:
        raise AttributeError(f"module 'stepforward' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"stepforward.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The public names and nothing else."""
    return [*__all__, "__version__"]
