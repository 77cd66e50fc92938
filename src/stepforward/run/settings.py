"""Everything a person may set about an adaptation, with defaults that work."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from numbers import Integral, Real

from stepforward.engines.host_memory import CHOICES
from stepforward.errors import StepforwardError
from stepforward.program.step_settings import StepSettings
from stepforward.quantization.formats import QuantizationSettings

METHODS = ("qzo-ff", "backprop")
DEFAULTS = {
    "qzo-ff": {"steps": 2000, "lr": StepSettings.lr, "momentum": StepSettings.momentum, "batch": 128},
    "backprop": {"steps": 400, "lr": 2e-3, "momentum": 0.9, "batch": 32},
}
"""What each method starts from; measured on the demo's task (docs/decisions.md)."""

_WHOLE = ("directions", "steps", "batch", "seed", "warmup", "evaluate_every", "patience", "threads")
_REAL = ("minutes", "epsilon", "lr", "momentum", "validation", "temperature")
_TEXT = ("train", "bits", "calibration", "memory")
_OPTIONAL = ("minutes", "evaluate_every", "patience", "threads")


@dataclass(frozen=True)
class Settings:
    """Settings of `adapt`.

    Attributes:
        method: "qzo-ff" (forward only, integers), or "backprop" (float32 in torch, the baseline).
        train: trainable set: "all", "head", "last:k", "bias", or name patterns.
        bits: format for a float model: weights and activations, such as "16w8a".
        calibration: range method for a float model: "minmax", "percentile" or "mse".
        directions: m of sign-m-SPSA; each costs two forward passes per step, over the batch or over its share.
        share_batch: whether each direction is tried on its own share of the batch: m of them for the passes of one.
        temperature: logits are divided by it where the training loss of qzo-ff is computed.
        steps: number of steps; give this or `minutes`. Default by method, as for `lr`, `momentum` and `batch`.
        minutes: time to spend; the number of steps is measured from it before the run.
        epsilon: size of the perturbation.
        lr: peak learning rate.
        batch: samples per step; all training samples if there are fewer.
        seed: of directions, sample order and split.
        momentum: 0 for plain SGD.
        distribution: of the directions: "normal", "rademacher" or "binomial".
        perturbation: "exact", or "paper" for its formula (6).
        rounding: of the update: "nearest", "floor" (the paper) or "stochastic".
        schedule: of the learning rate: "constant", "linear" or "cosine".
        warmup: steps of linear warm-up.
        validation: share of the data held out to choose the weights that are kept.
        balance: whether every class counts alike: batches are drawn class by class, and the weights that are kept are
            chosen by loss and accuracy averaged over classes.
        evaluate_every: steps between validations; default: 40 validations in a run.
        patience: stop after this many validations without improvement; default: never before the schedule ends.
        threads: of the C core; default: all cores. Never changes a result.
        memory: of the C core on this host: "fast" or "small" (`engines.host_memory`). Never changes a result.
    """

    method: str = "qzo-ff"
    train: str = "all"
    bits: str = "16w8a"
    calibration: str = "minmax"
    directions: int = StepSettings.directions
    share_batch: bool = StepSettings.share_batch
    temperature: float = StepSettings.temperature
    steps: int | None = None
    minutes: float | None = None
    epsilon: float = StepSettings.epsilon
    lr: float | None = None
    batch: int | None = None
    seed: int = 0
    momentum: float | None = None
    distribution: str = StepSettings.distribution
    perturbation: str = StepSettings.perturbation
    rounding: str = StepSettings.rounding
    schedule: str = StepSettings.schedule
    warmup: int = StepSettings.warmup
    validation: float = 0.2
    balance: bool = False
    evaluate_every: int | None = None
    patience: int | None = None
    threads: int | None = None
    memory: str = "fast"

    def __post_init__(self):
        def need(condition: bool, what: str, remedy: str) -> None:
            if not condition:
                raise StepforwardError(what, remedy)

        need(self.method in METHODS, f"method = {self.method!r}", f"choose one of {', '.join(METHODS)}")
        need(
            self.steps is None or self.minutes is None, "both steps and minutes are given", "give one of them"
        )
        for name, value in DEFAULTS[self.method].items():
            if getattr(self, name) is None and not (name == "steps" and self.minutes is not None):
                object.__setattr__(self, name, value)
        self._take_plain_types(need)
        QuantizationSettings.parse(self.bits, method=self.calibration)
        need(
            self.steps is None or self.steps >= 1, f"steps = {self.steps}", "give a number of steps from 1 up"
        )
        need(
            self.minutes is None or 0 < self.minutes < 1e6,
            f"minutes = {self.minutes}",
            "give a positive number",
        )
        need(self.batch >= 1, f"batch = {self.batch}", "give a batch size from 1 up")
        need(0 < self.validation < 0.9, f"validation share = {self.validation}", "give a share such as 0.2")
        need(self.evaluate_every is None or self.evaluate_every >= 1, "evaluate_every < 1", "give 1 or more")
        need(self.patience is None or self.patience >= 1, "patience < 1", "give 1 or more, or leave it out")
        need(self.threads is None or self.threads >= 1, "threads < 1", "give 1 or more, or leave it out")
        need(isinstance(self.balance, bool), f"balance = {self.balance!r}", "give True or False")
        need(self.memory in CHOICES, f"memory = {self.memory!r}", f"choose one of {', '.join(CHOICES)}")
        self.step_settings(self.steps or 2**32 - 1)

    def _take_plain_types(self, need: Callable[[bool, str, str], None]) -> None:
        """Numbers of NumPy become Python's, which JSON and `struct` take; anything else is refused by name."""
        for names, kind, make, remedy in (
            (_WHOLE, Integral, int, "give a whole number"),
            (_REAL, Real, float, "give a number"),
            (_TEXT, str, str, "give text"),
        ):
            for name in names:
                value = getattr(self, name)
                if value is None and (name in _OPTIONAL or name == "steps"):
                    continue
                good = isinstance(value, kind) and not isinstance(value, bool)
                need(good, f"{name} = {value!r}", remedy)
                object.__setattr__(self, name, make(value))

    def step_settings(self, steps: int) -> StepSettings:
        """The part that decides every bit of the weights."""
        names = StepSettings.__dataclass_fields__
        return StepSettings(
            **{k: v for k, v in asdict(self).items() if k in names and k != "steps"}, steps=steps
        )
