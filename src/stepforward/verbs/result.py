"""What `adapt` gives back: every figure of the run, and the network."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx_ir as ir
from rich.console import Console, RenderableType

from stepforward.errors import StepforwardError
from stepforward.program import fileformat
from stepforward.program.model import Program
from stepforward.report.terminal import adaptation
from stepforward.run.result import HIDDEN, RunResult
from stepforward.sources.onnx.file import save_onnx
from stepforward.sources.source import Source
from stepforward.verbs.predict import predict

_WIDTH = 110
_HTML = '<pre style="font-family: monospace; line-height: 1.25">{code}</pre>'


class Adapted:
    """The network that a run left, with its program: written, asked, and shown with the figures of the run."""

    model: ir.Model | Source
    program: Program | None

    def drawing(self) -> RenderableType:
        """A short table."""
        raise NotImplementedError

    def save(self, path: str | Path) -> None:
        """Write the network: `.onnx` (or `.tflite`, if it came as one) for any machine, `.sfp` for devices.

        Raises:
            StepforwardError: another ending, no program to write, or a place that cannot be written.
        """
        suffix = Path(path).suffix
        if isinstance(self.model, Source) and suffix == self.model.suffix:
            self.model.save(path)
        elif isinstance(self.model, ir.Model) and suffix == ".onnx":
            save_onnx(self.model, path)
        elif suffix != ".sfp":
            raise StepforwardError(
                f"cannot tell what to write to {path}",
                f"end the name in {getattr(self.model, 'suffix', '.onnx')}, or in .sfp for a device",
            )
        elif self.program is None:
            raise StepforwardError(
                "a network adapted by backpropagation is a float one: there is no program of it",
                "save it as .onnx, then quantize it: stepforward quantize MODEL --data DATA --out FILE",
            )
        else:
            fileformat.save(self.program, path)

    def predict(self, samples: Any, *, top: int = 1) -> list[dict]:
        """Classes and probabilities of samples without labels; see `stepforward.predict`."""
        return predict(self.model, samples, top=top)

    def __repr__(self) -> str:
        text = io.StringIO()
        console = Console(file=text, width=_WIDTH, color_system=None, force_jupyter=False)
        console.print(self.drawing())
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    def _repr_html_(self) -> str:
        console = Console(file=io.StringIO(), width=_WIDTH, record=True, force_jupyter=False)
        console.print(self.drawing())
        return console.export_html(inline_styles=True, code_format=_HTML)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result(Adapted, RunResult):
    """The entries of `result.json`, such as `result["adapted_accuracy"]` or `result.adapted_accuracy`, and the network.

    Shown as a short table in a session or a notebook.

    Attributes:
        model: the adapted network: a QDQ `onnx_ir.Model`, a float one after backpropagation, or the source of an
            adapted TensorFlow Lite file.
        program: the same as a `Program` for devices; None after backpropagation.
    """

    model: ir.Model | Source = field(metadata=HIDDEN)
    program: Program | None = field(metadata=HIDDEN)

    def drawing(self) -> RenderableType:
        """A short table."""
        return adaptation(self)

    def plot(self) -> Any:
        """Accuracy and losses against steps, as a matplotlib figure: shown in a notebook, `savefig` writes it.

        Raises:
            StepforwardError: there was one validation only.
        """
        from stepforward.report.curve import plot  # matplotlib is slow to import

        figure = plot(self)
        if figure is None:
            raise StepforwardError("the run has too few validations for a curve", "take more --steps")
        return figure
