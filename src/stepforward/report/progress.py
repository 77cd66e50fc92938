"""What a person sees while an adaptation runs: a bar on a terminal, a line that changes in a notebook, and now and then
a line in a log. Never on stdout.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from stepforward.report.units import show_loss, show_percent, show_seconds
from stepforward.run.progress import Progress as Event

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_UPDATES = 0.5


class Watcher:
    """Receives the progress of a run; `step` is the last step seen."""

    def __init__(self):
        self.step = 0

    def __call__(self, event: Event) -> None:
        """Take note of one step."""
        self.step = event.step


class _Lines(Watcher):
    """A line at the start, every few seconds, and at the end."""

    def __init__(self):
        super().__init__()
        self.last = float("-inf")

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES or event.step == event.steps:
            self.last = now
            print(describe(event), file=sys.stderr, flush=True)


class _Bar(Watcher):
    def __init__(self, bar: Progress):
        super().__init__()
        self.bar = bar
        self.task = bar.add_task("adapt", total=None, details="preparing")

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        self.bar.update(self.task, total=event.steps, completed=event.step, details=_short(event))


class _Notebook(Watcher):
    """One line of the cell's output, written over. (rich's bar would need ipywidgets, which many notebooks lack.)"""

    def __init__(self):
        super().__init__()
        from IPython.display import display

        self.handle = display({"text/plain": "preparing"}, raw=True, display_id=True)
        self.last = float("-inf")

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_UPDATES or event.step == event.steps:
            self.last = now
            self.handle.update({"text/plain": describe(event)}, raw=True)


def _short(event: Event) -> str:
    if event.information is not None:
        return (
            f"{event.step}/{event.steps}  {event.information:.2f} bits (best at {event.best_step})  "
            f"{show_seconds(event.seconds_left)} left"
        )
    return (
        f"{event.step}/{event.steps}  loss {show_loss(event.train_loss)}  "
        f"val {show_percent(event.validation_accuracy)} (best at {event.best_step})  "
        f"{event.steps_per_second:.1f} steps/s  {show_seconds(event.seconds_left)} left"
    )


def describe(event: Event) -> str:
    """One line about the state of a run."""
    if event.information is not None:
        return (
            f"step {event.step}/{event.steps}: predictions say {event.information:.2f} bits of a held-out sample, "
            f"best at step {event.best_step}, {show_seconds(event.seconds_left)} left"
        )
    return (
        f"step {event.step}/{event.steps}: training loss {show_loss(event.train_loss)}, "
        f"validation accuracy {show_percent(event.validation_accuracy)}, best at step {event.best_step}, "
        f"{event.steps_per_second:.1f} steps/s, {show_seconds(event.seconds_left)} left"
    )


@contextmanager
def watch(*, log: bool = True) -> Iterator[Watcher]:
    """Show the progress of the run inside; what it gives is the run's `on_progress`.

    Args:
        log: whether to write lines where there is neither a terminal nor a notebook.
    """
    console = Console(stderr=True)
    if console.is_jupyter:
        yield _Notebook()
    elif not console.is_terminal:
        yield _Lines() if log else Watcher()
    else:
        columns = BarColumn(bar_width=None), TextColumn("{task.fields[details]}")
        with Progress(*columns, console=console, expand=True, transient=True, refresh_per_second=4) as bar:
            yield _Bar(bar)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how much of some work is done: a bar on a terminal, a line every few seconds elsewhere.

    Args:
        what: is counted, such as "tensors".
    """
    console, started = Console(stderr=True), time.monotonic()
    if console.is_terminal and not console.is_jupyter:
        columns = BarColumn(bar_width=None), TextColumn("{task.fields[details]}")
        with Progress(*columns, console=console, expand=True, transient=True, refresh_per_second=4) as bar:
            task = bar.add_task(what, total=None, details="preparing")
            yield lambda done, total: bar.update(
                task, total=total, completed=done, details=_done(what, done, total, started)
            )
        return
    last = started

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            print(_done(what, done, total, started), file=sys.stderr, flush=True)

    yield tell


def _done(what: str, done: int, total: int, started: float) -> str:
    left = (time.monotonic() - started) * (total - done) / max(done, 1)
    return f"{what}: {100 * done // total} %, {show_seconds(left)} left"
