"""The settings of a run that decide every bit of it. Imports nothing slow: the command line shows the defaults."""

from dataclasses import dataclass

from stepforward.arithmetic.distributions import DISTRIBUTIONS
from stepforward.errors import StepforwardError

PERTURBATIONS = ("exact", "paper")
ROUNDINGS = ("nearest", "floor", "stochastic")
SCHEDULES = ("constant", "linear", "cosine")


@dataclass(frozen=True)
class StepSettings:
    """The numbers of a QZO-FF run that decide every bit of it, as a person gives them; the defaults are everybody's.

    Attributes:
        steps: T, total steps; the learning-rate schedule is stretched over them.
        epsilon: size of the perturbation, real units.
        lr: peak learning rate, real units.
        directions: m, directions per step.
        seed: 64-bit seed of directions and sample order.
        momentum: 0 for plain SGD, below 1.
        warmup: steps of linear warm-up.
        share_batch: whether each direction is tried on its own share of the batch.
        temperature: logits are divided by it where the training loss is computed.
    """

    steps: int
    epsilon: float = 3e-3
    lr: float = 2e-3
    directions: int = 4
    seed: int = 0
    momentum: float = 0.0
    distribution: str = "normal"
    perturbation: str = "exact"
    rounding: str = "nearest"
    schedule: str = "cosine"
    warmup: int = 0
    share_batch: bool = True
    temperature: float = 2.0

    def __post_init__(self):
        def need(condition: bool, what: str, remedy: str) -> None:
            if not condition:
                raise StepforwardError(what, remedy)

        need(1 <= self.steps < 2**32, f"steps = {self.steps}", "give a number of steps from 1 to 2^32 - 1")
        need(0 < self.epsilon < 10, f"epsilon = {self.epsilon}", "give a small positive number, such as 1e-3")
        need(0 < self.lr < 100, f"learning rate = {self.lr}", "give a small positive number, such as 1e-3")
        need(1 <= self.directions <= 255, f"directions = {self.directions}", "give a number from 1 to 255")
        need(0 <= self.seed < 2**64, f"seed = {self.seed}", "give a number from 0 to 2^64 - 1")
        need(
            0 <= self.momentum < 1,
            f"momentum = {self.momentum}",
            "give a number from 0 up to, not including, 1",
        )
        need(
            0 <= self.warmup <= self.steps,
            f"warm-up = {self.warmup} steps",
            "give at most the number of steps",
        )
        need(
            1 / 64 <= self.temperature <= 64,
            f"temperature = {self.temperature}",
            "give a number from 1/64 to 64; 1 is the cross-entropy itself",
        )
        need(
            isinstance(self.share_batch, bool),
            f"share_batch = {self.share_batch!r}",
            "give True or False",
        )
        for name, value, known in (
            ("distribution", self.distribution, DISTRIBUTIONS),
            ("perturbation", self.perturbation, PERTURBATIONS),
            ("rounding", self.rounding, ROUNDINGS),
            ("schedule", self.schedule, SCHEDULES),
        ):
            need(value in known, f"{name} = {value!r}", f"choose one of {', '.join(known)}")
