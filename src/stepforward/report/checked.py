"""What a person reads of a checked model."""

import json
import shlex

from rich.console import Group, RenderableType
from rich.text import Text

from stepforward.report.terminal import notes_of, three_columns
from stepforward.report.units import show_bytes, show_count


def checked(result: dict) -> RenderableType:
    """The outcome of `check`: supported or not and why, what a device needs, what to do next."""
    if not result["supported"]:
        lines = [Text.assemble(("not supported: ", "bold red"), result["model"])]
        for problem in result["problems"]:
            lines += [Text(f"  {problem['what']}"), Text(f"    {problem['remedy']}", "dim")]
        return Group(*lines, *notes_of(result["notes"], result))
    form = "as it is" if result["bits"] != "float32" else "as 16w8a, which quantize and adapt choose"
    rows = [
        *_inputs(result),
        ("output", show_count(result["outputs"]), "logits"),
        (
            "parameters",
            show_count(result["parameters"]),
            f"{show_count(result['macs'])} multiply-accumulates",
        ),
        ("operators", "", ", ".join(f"{count} {kind}" for kind, count in result["operators"].items())),
        ("flash", show_bytes(result["flash_bytes"]), f"the program, {form}; besides, the core's code"),
        ("RAM, inference", show_bytes(result["ram_bytes_inference"]), "scratch and one input sample"),
        (
            "RAM, training",
            _bytes(result["ram_bytes_training"]),
            "all parameters; fewer need less (inspect --train)",
        ),
        ("class names", *_names(result["class_names"])),
        ("preprocessing", *_preprocessing(result["preprocessing"])),
    ]
    return Group(
        Text.assemble(("supported: ", "bold green"), f"{result['model']} ({result['bits']})"),
        three_columns(rows),
        *notes_of(result["notes"], result),
        Text("next:"),
        Text(f"  {result['next']}", no_wrap=True),
    )


def _inputs(result: dict) -> list[tuple[str, str, str]]:
    def size(shape: list[int] | None) -> str:
        return " x ".join(map(str, shape or ()))

    if "inputs" not in result:
        return [("input", size(result["input_shape"]), "one sample")]
    first = "one sample; in an .npz an array for each, by its name"
    return [
        (f"input {one['name']}", size(one["shape"]), "" if number else first)
        for number, one in enumerate(result["inputs"])
    ]


def next_command(result: dict) -> str:
    """The command to give after `check`: measure on labelled samples.

    >>> next_command({"model": "my net.onnx", "preprocessing": {}, "class_names": ["a"]})
    "stepforward adapt 'my net.onnx' --data DATA"
    """
    given = (("--output", "output"), ("--fixed-inputs", "fixed_inputs"))
    chosen = [word for option, name in given if name in result for word in (option, result[name])]
    return shlex.join(["stepforward", "adapt", str(result["model"]), *chosen, "--data", "DATA"])


def _bytes(count: int | None) -> str:
    return "unknown" if count is None else show_bytes(count)


def _names(names: list[str] | None) -> tuple[str, str]:
    if names is None:
        return "not said", "taken from the folders of DATA in sorted order, or --classes"
    return show_count(len(names)), ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def _preprocessing(settings: dict | None) -> tuple[str, str]:
    if settings is None:
        return "not said", "for images: pixels divided by 255, or --image mean=..,std=.."
    shown = {name: value for name, value in settings.items() if name != "kind"}
    return str(settings.get("kind")), json.dumps(shown)[1:-1].replace('"', "")
