"""Arguments and options that several commands share."""

from copy import copy
from pathlib import Path
from typing import Annotated, get_args

import typer
from typer.models import OptionInfo

ADVANCED = "Advanced"


def advanced(option: object) -> OptionInfo:
    """The same option in the advanced group of a command's help."""
    return grouped(option, ADVANCED)


def grouped(option: object, panel: str) -> OptionInfo:
    """The same option in a group of a command's help."""
    info: OptionInfo = copy(get_args(option)[1])
    info.rich_help_panel = panel
    return info


Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="The network: an .onnx file, float or quantized (QDQ), or a .tflite file, int8 or float.",
    ),
]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        metavar="DATA",
        help="Labelled samples: a folder with one sub-folder per class of images or sounds, "
        "an .npz with x and y (optionally class_names; for several inputs an array for each, by its name), or a CSV of "
        "path,label.",
    ),
]
Classes = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="For a model that does not name its classes: their names in the order of the logits, with commas "
        "between them, or a file with one per line.",
        show_default="the folders of labelled data in sorted order, or numbers",
    ),
]
Image = Annotated[
    str | None,
    typer.Option(
        metavar="SETTINGS",
        help="For a model that does not say how it reads images: mean=..,std=.. as in its training (one number, or one "
        "per channel), scale=255 if it reads 0 to 255 instead of 0 to 1, fit=crop, squash or letterbox.",
        show_default="mean=0,std=1: pixels divided by 255",
    ),
]
Follow = Annotated[
    bool,
    typer.Option(
        "--follow",
        help="Match a quantized model to the samples while it sees them, one after the other, without labels, as a "
        "device does.",
    ),
]
Preprocess = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:FUNCTION",
        help="A function of yours that turns the path of a file into one sample (a float32 array of the shape of the "
        "network's input), in place of what the model says.",
        show_default="what the model says",
    ),
]
InputShape = Annotated[
    str | None,
    typer.Option(
        metavar="C,H,W",
        help="For a float model that leaves height or width open: the size of one sample.",
        show_default="what the model or its preprocessing says",
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="For a model with several outputs: the one that holds the logits. The others stay in the file; only:NAME "
        "leaves those of a float model out.",
        show_default="the one called logits, or the only one (N, classes)",
    ),
]
Fixed = Annotated[
    str | None,
    typer.Option(
        "--fixed-inputs",
        metavar="NAME=NUMBER,...",
        help="For a float model with inputs that are no samples, such as a rate or a flag: the number that each holds.",
        show_default="the model has one input",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there; errors too.")
]
