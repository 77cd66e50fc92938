"""The methods: one line each. Imports no method before it is used, so that the table of settings can list them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from stepforward.methods.protocol import Method
    from stepforward.settings import Settings

INTEGERS, GRADIENTS, STATISTICS = "integers", "gradients", "statistics"
"""What a method asks of its engine: exact losses of a program in fixed point, gradients of a float network, or the
accumulators of a program, once: such a method needs no labels (`run.match`)."""

PROBES: tuple[str, ...] = (
    "minutes",
    "memory",
    "directions",
    "share_batch",
    "votes",
    "temperature",
    "sizes",
    "bias_sizes",
    "epsilon",
)
PROBES += ("distribution", "perturbation", "rounding", "low_bits", "lr", "momentum", "schedule", "warmup")
PROBES += (
    "ranges",
    "head_start",
    "bias_start",
    "tail",
    "tail_layers",
    "tail_rate",
    "sparsity",
    "mask",
    "guide",
    "sharpness",
)
PROBES += ("optimizer",)
SGD = ("lr", "momentum", "schedule", "warmup")
MATCH = ("steps", "directions", "batch", "validation", "balance", "seed", "threads")
"""The settings that methods take: those that probe along directions, those of an optimizer with gradients, and all of
those that matching reads."""


class Listed(NamedTuple):
    """A method.

    Attributes:
        home: the module with its function `method(settings)`; "" for one that `run.match` runs.
        needs: `INTEGERS`, `GRADIENTS` or `STATISTICS`.
        takes: the settings it knows besides those of every run; with `STATISTICS`, all that it knows.
    """

    home: str
    needs: str
    takes: tuple[str, ...]


METHODS: dict[str, Listed] = {
    "qzo-ff": Listed("stepforward.methods.qzo_ff", INTEGERS, PROBES),
    "backprop": Listed("stepforward.methods.backprop", GRADIENTS, SGD),
    "match": Listed("", STATISTICS, MATCH),
}
"""By the name that `--method` takes; the first is the default."""


def make(settings: "Settings") -> "Method[Any, Any]":
    """The method that the settings name."""
    return import_module(METHODS[settings.method].home).method(settings)
