"""The command `stepforward`: assembles the commands, prints what they give, turns every failure into one message.

What is slow to import, numpy and rich above all, is imported where it is used, here and in every command: `--version`,
`--help` and the completion of a shell answer at once.
"""

import contextlib
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from stepforward import __version__
from stepforward.cli.adapt import adapt
from stepforward.cli.bench import bench
from stepforward.cli.check import check
from stepforward.cli.demo import demo
from stepforward.cli.evaluate import evaluate
from stepforward.cli.failures import INTERRUPTED, USER_ERROR, Failure, explain
from stepforward.cli.inspect import inspect
from stepforward.cli.outcome import Outcome, json_line
from stepforward.cli.predict import predict
from stepforward.cli.quantize import quantize
from stepforward.cli.replay import replay
from stepforward.cli.streams import abandon_broken, comes_from_printing, take_any_text
from stepforward.report.visible import visible, visible_lines

_DEBUG = "--debug"

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
        print(f"stepforward {__version__}", flush=True)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(_DEBUG, help="Show the traceback of an error; may stand anywhere in a command."),
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
    debug = _DEBUG in words
    words = [word for word in words if word != _DEBUG] or ["--help"]
    take_any_text()
    try:
        return _run(words, "--json" in words, debug)
    except OSError as error:  # of printing: `_run` explains all others
        abandon_broken()
        return _unprinted(error)


def _unprinted(error: OSError) -> int:
    if isinstance(error, BrokenPipeError):  # whoever read our output wants no more of it
        return 1
    remedy = "everything else was done; send the output elsewhere"
    with contextlib.suppress(OSError):
        _tell(Failure(f"cannot print: {error.strerror or error}", remedy, USER_ERROR))
    abandon_broken()
    return USER_ERROR


def _run(words: list[str], as_json: bool, debug: bool) -> int:
    try:
        # With --json a stray print of a library must not reach stdout.
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            outcome = app(words, prog_name="stepforward", standalone_mode=False, obj=words)
        if outcome == INTERRUPTED:
            raise KeyboardInterrupt
    except (BrokenPipeError, SystemExit):
        raise
    except BaseException as error:
        if isinstance(error, OSError) and comes_from_printing(error):
            raise
        return _fail(error, as_json, debug)
    if not isinstance(outcome, Outcome):
        return outcome or 0
    if as_json:
        print(json_line(outcome.result), flush=True)
    else:
        _show(outcome)
    return outcome.code


def _show(outcome: Outcome) -> None:
    from rich.console import Console

    console = Console()
    drawing = outcome.draw(visible(outcome.result))
    if console.is_terminal:
        console.print(drawing, crop=False)
        return
    console.width = 120  # a file or a pipe has no width of its own
    with console.capture() as captured:
        console.print(drawing, crop=False)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)


def _fail(error: BaseException, as_json: bool, debug: bool) -> int:
    failure = explain(error)
    if failure.bug or debug:
        print(visible_lines("".join(traceback.format_exception(error))), file=sys.stderr)
    _tell(failure)
    if as_json:
        print(json_line({"error": failure.what, "remedy": failure.remedy}), flush=True)
    return failure.code


def _tell(failure: Failure) -> int:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    colour = "yellow" if failure.code == INTERRUPTED else "bold red"
    console.print(Text.assemble(("stepforward: ", colour), visible_lines(failure.what)), soft_wrap=True)
    if failure.remedy:
        console.print(Text(f"  {visible_lines(failure.remedy)}"), soft_wrap=True)
    return failure.code
