"""The command `stepforward`: assembles the commands, prints what they give, turns every failure into one message."""

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from stepforward import __version__
from stepforward.cli.adapt import adapt
from stepforward.cli.bench import bench
from stepforward.cli.check import check
from stepforward.cli.demo import demo
from stepforward.cli.evaluate import evaluate
from stepforward.cli.failures import INTERRUPTED, Failure, explain
from stepforward.cli.inspect import inspect
from stepforward.cli.outcome import Outcome, json_line
from stepforward.cli.predict import predict
from stepforward.cli.quantize import quantize
from stepforward.cli.replay import replay
from stepforward.report.visible import visible, visible_lines

app = typer.Typer(
    name="stepforward",
    help="Adapt a trained network to your own data: forward passes only, in integers, in the memory of inference.",
    epilog="Start with: stepforward demo",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, check, adapt, evaluate, predict, quantize, inspect, replay, bench):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"stepforward {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after `stepforward`; default: those of the process.

    Returns:
        The exit code: 0, 2 for what a user can put right, 70 for a bug, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    words = words or ["--help"]
    as_json = "--json" in words
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(words, as_json)
    except BrokenPipeError:
        # The reader of our output has gone; whatever the interpreter still flushes goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(words: list[str], as_json: bool) -> int:
    try:
        # With --json a stray print of a library must not reach stdout.
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            outcome = app(words, prog_name="stepforward", standalone_mode=False, obj=words)
        if outcome == INTERRUPTED:
            raise KeyboardInterrupt
    except (BrokenPipeError, SystemExit):
        raise
    except BaseException as error:
        return _fail(error, as_json)
    if not isinstance(outcome, Outcome):
        return outcome or 0
    if as_json:
        print(json_line(outcome.result), flush=True)
    else:
        _show(outcome)
    return outcome.code


def _show(outcome: Outcome) -> None:
    console = Console()
    drawing = outcome.draw(visible(outcome.result))
    if console.is_terminal:
        console.print(drawing, crop=False)
        return
    console.width = 120  # a file or a pipe has no width of its own
    with console.capture() as captured:
        console.print(drawing, crop=False)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)


def _fail(error: BaseException, as_json: bool) -> int:
    failure: Failure = explain(error)
    if failure.bug:
        print(visible_lines("".join(traceback.format_exception(error))), file=sys.stderr)
    console = Console(stderr=True)
    colour = "yellow" if failure.code == INTERRUPTED else "bold red"
    console.print(Text.assemble(("stepforward: ", colour), visible_lines(failure.what)), soft_wrap=True)
    if failure.remedy:
        console.print(Text(f"  {visible_lines(failure.remedy)}"), soft_wrap=True)
    if as_json:
        print(json_line({"error": failure.what, "remedy": failure.remedy}), flush=True)
    return failure.code
