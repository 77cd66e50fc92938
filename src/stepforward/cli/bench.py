"""`stepforward bench`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from stepforward.cli.options import Json
from stepforward.cli.outcome import Outcome
from stepforward.errors import StepforwardError

NETWORKS = "lenet5,ds_cnn,resnet20,mobilenet_v1,conv4"


def bench(
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Only ResNet-20 and the demo's network, batch 64, two threads: a minute."
        ),
    ] = False,
    networks: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Networks, separated by commas.", show_default=NETWORKS),
    ] = None,
    batches: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Batch sizes.", show_default="1,16,64,256")
    ] = None,
    threads: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Numbers of threads.", show_default="1,2")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="Of measurement per network, batch size and number of threads; more gives steadier figures.",
            show_default="6",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also write speed.json there, every time and count, over that of the last time.",
        ),
    ] = None,
    as_json: Json = False,
) -> Outcome:
    """Time forward passes and steps next to torch, ONNX Runtime, backpropagation and MeZO, in turn.

    Needs the extras torch and ort; with the extra bench also OpenVINO, float32 and int8, and LiteRT with XNNPACK, int8
    (not with --quick). Close other programs first: every figure is a ratio of times from the same minutes,
    but a busy machine still favours whoever needs fewer threads.

    [bold]Example:[/bold] stepforward bench --quick
    """
    from stepforward.bench.extras import require

    require()
    if quick:
        given = {"networks": networks, "batches": batches, "threads": threads, "seconds": seconds, "out": out}
        return _quick([name for name, value in given.items() if value is not None])
    from stepforward.bench.full import full
    from stepforward.bench.save import save
    from stepforward.report.speed import table

    result = full(
        _networks(networks or NETWORKS),
        _numbers("batches", batches or "1,16,64,256", 4096),
        _numbers("threads", threads or "1,2", 64),
        _seconds(6.0 if seconds is None else seconds),
        _tell,
    )
    if out is not None:
        save(result, out)
    return Outcome({**result, "out": None if out is None else str(out)}, table)


def _quick(refused: list[str]) -> Outcome:
    if refused:
        raise StepforwardError(
            f"--quick fixes what is measured, and --{refused[0]} was given", "leave one of the two out"
        )
    from stepforward.bench.quick import quick
    from stepforward.report.speed import quick_table

    return Outcome(quick(tell=_tell), quick_table)


def _tell(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _networks(text: str) -> list[str]:
    from stepforward.bench.networks import NETWORKS as KNOWN

    names = text.split(",")
    for name in names:
        if name not in KNOWN:
            raise StepforwardError(
                f"--networks {text!r} names {name!r}", f"choose from {', '.join(KNOWN)}, separated by commas"
            )
    return names


def _numbers(option: str, text: str, most: int) -> list[int]:
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= most for part in parts):
        raise StepforwardError(
            f"--{option} {text!r} is not a list of numbers", f"give numbers from 1 to {most}, such as 1,2"
        )
    return [int(part) for part in parts]


def _seconds(value: float) -> float:
    if not 0 < value <= 3600:
        raise StepforwardError(f"--seconds {value:g}", "give a number above 0, at most 3600")
    return value
