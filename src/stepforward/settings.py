"""Everything a person may set about an adaptation, each field once: its type, default, range, help and options.

The command's options and their help, the checks, what a journal records of a run and the table in docs/settings.md
come from here. A new setting is a row of this table and the code that uses it. Imports nothing slow.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from types import MappingProxyType, NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_type_hints

from stepforward.arithmetic.distributions import DISTRIBUTIONS
from stepforward.arithmetic.limits import CURVED_DIRECTIONS, CURVED_SAMPLES
from stepforward.errors import StepforwardError
from stepforward.methods.table import GRADIENTS, INTEGERS, METHODS, STATISTICS
from stepforward.network.runtimes import RUNTIMES
from stepforward.quantization.formats import AUTO, QuantizationSettings, names

BITS = ("16w8a", "8w8a", "4w8a")
CALIBRATIONS = ("minmax", "percentile", "mse")
JUDGES = ("flat", "training", "plain")
FLAT = 2
"""Times the temperature that trains: sure answers that are wrong count less."""
MEMORIES = ("fast", "small")
PERTURBATIONS = ("exact", "paper")
ROUNDINGS = ("nearest", "floor", "stochastic")
SCHEDULES = ("constant", "linear", "cosine")
FIRST_STAGES = ("none", "match")
RANGES = ("given", "samples")
SIZES = ("absolute", "relative", "kernel")
MASKS = ("magnitude", "random", "threshold", "saliency")
HEAD_STARTS = ("none", "means", "ridge", "auto")
BIAS_STARTS = ("none", "linear", "auto")
OPTIMIZERS = ("sgd", "adam")
TAILS = ("auto", "exact", "votes")
VOTES = ("sign", "graded", "curved")


class Row(NamedTuple):
    """What the table says of a setting besides its name, type and default.

    Attributes:
        help: one or two sentences.
        metavar: what stands for its value in the command's help.
        choices: the values of a text, if they are few.
        good: whether a value is in range, and `remedy` what to give instead.
        decides: it decides bits of the weights on a device: a journal records it, a plan is made from it.
        unsaid: of a setting younger than the first journals: what a journal means that does not say it.
        by_engine: defaults for methods by what they need of an engine, where the field itself has none.
        curved: the default with curved votes, in place of those.
        searched: with relative sizes 0, the default there, has a search find it; this is what a plan takes without one.
        default: said in the help instead of the default.
        flags: options of the command, where they are not --name.
        basic: among the first options of the command.
    """

    help: str
    metavar: str = ""
    choices: Collection[str] = ()
    good: Callable[[Any], bool] = lambda value: True
    remedy: str = ""
    decides: bool = False
    unsaid: Any = None
    by_engine: Mapping[str, Any] = MappingProxyType({})
    curved: Any = None
    searched: float | None = None
    default: str | None = None
    flags: tuple[str, ...] = ()
    basic: bool = False


def _row(value: Any, help_text: str, metavar: str = "", **more: Any) -> Any:
    return field(default=value, metadata={"row": Row(help_text, metavar, **more)})


def _from(low: float) -> dict[str, Any]:
    return {"good": lambda value: value >= low, "remedy": f"give {low:g} or more"}


def _between(low: float, high: float, remedy: str) -> dict[str, Any]:
    return {"good": lambda value: low <= value <= high, "remedy": remedy}


def _positive(below: float, remedy: str) -> dict[str, Any]:
    return {"good": lambda value: 0 < value < below, "remedy": remedy}


_STEPS = "give a number of steps from 1 to 2^32 - 1"
_SMALL = "give a small positive number, such as 1e-3"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of `adapt`; each is described where it is defined, and in docs/settings.md.

    What is left out, or None, gets its default when the settings are made; where the time decides the number of steps,
    `steps` is 0 until it is measured.

    Raises:
        StepforwardError: a value of another type or out of range, by name, with what to give instead.
    """

    train: str = _row(
        "all",
        "What may move: all, head (the last layer), last:k (the last k layers, norms with the layer before them), "
        "bias, or name patterns such as 'layer3.*' separated by commas. Less moves, faster steps: layers before the "
        "first that moves run once per batch.",
        "SET",
        basic=True,
    )
    steps: int = _row(
        None,
        "Steps to take; the learning-rate schedule is stretched over them. Not with minutes. With match, steps that "
        "follow it without labels, after which predictions say more about the samples: for samples that hold all "
        "classes about alike; 40 are plenty.",
        "N",
        **_between(0, 2**32 - 1, _STEPS),
        decides=True,
        by_engine={INTEGERS: 1000, GRADIENTS: 400, STATISTICS: 0},
        curved=240,
        basic=True,
    )
    most_steps: int = _row(
        None,
        "A run whose held-out loss still falls at its end is extended, each time to twice its steps, up to so many. "
        "0: never, the default where steps or minutes are given.",
        "N",
        **_from(0),
        by_engine={INTEGERS: 4000, GRADIENTS: 0},
        curved=960,
    )
    balance: bool = _row(
        False,
        "Every class counts alike: batches hold as many samples of a rare class as of a common one (its own, "
        "repeated), and the weights that are kept have the best loss and accuracy averaged over classes. For data "
        "where one class has far fewer samples than another and matters as much.",
        flags=("--balance/--no-balance",),
        basic=True,
    )
    bits: str = _row(
        "16w8a",
        "For a float model: bits of weights (16, 8, 4) and activations (8). More bits, finer steps.",
        "WwAa",
        good=lambda value: value.strip().lower() in BITS,
        remedy=f"use {', '.join(BITS)}",
    )
    calibration: str = _row(
        "minmax",
        "For a float model: how ranges are read off the data. minmax: the extremes; percentile: nearly all values; "
        "mse: the least squared error.",
        "METHOD",
        choices=CALIBRATIONS,
    )
    wide: str = _row(
        AUTO,
        "For a float model: activations that get 16 bits in place of 8, by name or pattern, separated by commas, "
        "such as 'auto,add_3,blocks.*'; auto: those that gain from it by a rule. inspect --sensitivity says what "
        "each costs.",
        "NAMES",
    )
    minutes: float | None = _row(
        None,
        "Time to spend, in minutes; the number of steps is measured from it before the run. Not with steps.",
        "M",
        **_positive(1e6, "give a positive number"),
    )
    threads: int | None = _row(
        None, "Threads of the integer core. Never changes a result.", "N", **_from(1), default="all cores"
    )
    memory: str = _row(
        "fast",
        "What this host may spend on speed. fast: keeps the weights packed for all threads, and what the layers give "
        "that stay; small: packs some rows at a time, for every block of samples again. `stepforward inspect` says "
        "what each takes. Never changes a result.",
        "CHOICE",
        choices=MEMORIES,
    )
    runtime: str = _row(
        "auto",
        "Of an int8 file: whose integers its program computes, to the last bit. Of a TensorFlow Lite file tflm: "
        "TensorFlow Lite Micro; cmsis: with CMSIS-NN; litert: LiteRT as it is installed (XNNPACK); litert-ref: its "
        "reference kernels. ort: ONNX Runtime, of an ONNX file that another tool quantized. auto: tflm or ort.",
        "NAME",
        choices=("auto", *RUNTIMES),
        decides=True,
        unsaid="auto",
    )
    method: str = _row(
        "qzo-ff",
        "qzo-ff: forward passes only, in integers. backprop: the float32 baseline on the same trainable set; needs "
        "stepforward[torch]. match: no labels, and no steps unless asked for; brings each channel's mean and "
        "deviation back to what it was on the data that the model was quantized with.",
        "METHOD",
        choices=METHODS,
    )
    first_stage: str = _row(
        None,
        "Before the first step. match: as the method of that name, on the samples that train, where held-out samples "
        "say that it helps; for a quantized model with statistics, which `stepforward quantize` stores.",
        "NAME",
        choices=FIRST_STAGES,
        decides=True,
        unsaid="none",
        by_engine={INTEGERS: "match", GRADIENTS: "none"},
    )
    ranges: str = _row(
        None,
        "What 8-bit activations may be, before the first step. samples: where those that train use less than half of "
        "a range, its steps are halved, and again, as long as they fit and held-out samples do not do worse; for a "
        "quantized model of stepforward, whose input may be among them. given: as the model has them.",
        "NAME",
        choices=RANGES,
        decides=True,
        unsaid="given",
        by_engine={INTEGERS: "samples", GRADIENTS: "given"},
    )
    head_start: str = _row(
        None,
        "A last layer made of the samples that train, before the first step, where held-out samples say that it helps. "
        "means: of the mean of each class, which are sums on any machine; ridge: by regularized least squares, on a "
        "host; auto: the better one, and only where it halves the held-out loss. Needs a linear last layer that moves, "
        "and samples of every class.",
        "NAME",
        choices=HEAD_STARTS,
        decides=True,
        by_engine={INTEGERS: "none", GRADIENTS: "none"},
        default="auto with --train head, else none",
        unsaid="none",
    )
    bias_start: str = _row(
        None,
        "Biases that have gone where they lead if the network were linear in them, before the first step, where "
        "held-out samples say that it helps: what each number of a bias does by itself is found on the samples that "
        "train, and the loss followed downhill with what that says. On a host, in no more passes than the steps "
        "take. linear: wherever that is possible; auto: not with --minutes, nor where samples say too little of so "
        "many.",
        "NAME",
        choices=BIAS_STARTS,
        decides=True,
        by_engine={INTEGERS: "none", GRADIENTS: "none"},
        default="auto with --train bias, else none",
        unsaid="none",
    )
    directions: int = _row(
        None,
        "Random directions per step, 1 to 255; each costs two forward passes over its share of the batch. More: more "
        "votes from the same passes, each on fewer samples. With curved votes, and with match, at most 32, and one "
        "pass of each over the whole batch.",
        "m",
        **_between(1, 255, "give a number from 1 to 255"),
        decides=True,
        by_engine={INTEGERS: 16, GRADIENTS: 16, STATISTICS: 32},
        curved=32,
    )
    share_batch: bool = _row(
        True,
        "Each direction is tried on every m-th sample of the batch, or, as in the paper, on all of them: steadier "
        "votes at m times the passes.",
        flags=("--share-batch/--whole-batch",),
        decides=True,
        unsaid=False,
    )
    votes: str = _row(
        None,
        "What is said of each direction. sign: on which side the loss is larger; graded: by how much as well, in "
        "eighths of the running deviation and at most three of it, for 6 bits of journal a direction in place of "
        "one; curved: how far to go, by what all directions of the step together do to the logits (Gauss-Newton among "
        "them), for 8 bits. Curved votes learn fastest where few numbers move, such as biases.",
        "NAME",
        choices=VOTES,
        decides=True,
        by_engine={INTEGERS: "graded", GRADIENTS: "graded"},
        default="curved with --train bias where the other settings allow it, else graded",
        unsaid="sign",
    )
    temperature: float = _row(
        None,
        "Of the training loss of qzo-ff: logits are divided by it. Above 1, samples that are right already still "
        "count, which is steadier with few samples; 1 is the cross-entropy itself.",
        "T",
        **_between(1 / 64, 64, "give a number from 1/64 to 64; 1 is the cross-entropy itself"),
        decides=True,
        by_engine={INTEGERS: 2.0, GRADIENTS: 2.0},
        curved=1.0,
        unsaid=1.0,
    )
    sizes: str = _row(
        "relative",
        "What epsilon and lr are measured in. absolute: units of the weights; relative: shares of each tensor's own "
        "size, so that one number suits every tensor of any network: the root mean square of a weight, for a bias a "
        "32nd of the range of what it is added to. "
        "kernel: as relative, of each output channel by itself, for weights with a scale per channel (8 or 4 bits).",
        "NAME",
        choices=SIZES,
        decides=True,
        unsaid="absolute",
    )
    bias_sizes: str = _row(
        "auto",
        "With relative sizes, what the size of each bias is multiplied by. auto: where biases alone move and lr is "
        "searched, what a few probes find, so that every one changes the loss as much as any other; else range. "
        "range: 1. Or numbers with commas between them, one for each bias of the network.",
        "NUMBERS",
        good=lambda value: _bias_sizes(value) is not None,
        remedy="use auto, range, or positive numbers such as 2,1.5,0.7, one for each bias",
        decides=True,
        unsaid="range",
    )
    epsilon: float = _row(
        None,
        "Size of the probes, in units of the weights or shares of their size (--sizes). Too small: probes vanish below "
        "one quantum; too large: the losses compared are far from the weights. With relative sizes 0, the default, "
        "has a short search find it.",
        "E",
        good=lambda value: 0 <= value < 10,
        remedy=_SMALL,
        decides=True,
        by_engine={INTEGERS: 3e-3, GRADIENTS: 3e-3},
        searched=0.05,
    )
    lr: float = _row(
        None,
        "Peak learning rate, in the same: how far a step moves the weights. In units of the weights, fewer parameters "
        "that move take larger ones; with relative sizes 0, the default, has a short search find it.",
        "R",
        good=lambda value: 0 <= value < 100,
        remedy=_SMALL,
        decides=True,
        by_engine={INTEGERS: 2e-3, GRADIENTS: 2e-3},
        searched=0.02,
    )
    batch: int = _row(
        None,
        "Samples per step; all of them where there are fewer. Larger: less noise in the losses, slower steps.",
        "B",
        **_from(1),
        by_engine={INTEGERS: 128, GRADIENTS: 32, STATISTICS: 128},
        curved=32,
    )
    seed: int = _row(
        0,
        "Of directions, sample order and split: the same seed gives the same weights to the last bit.",
        "S",
        **_between(0, 2**64 - 1, "give a number from 0 to 2^64 - 1"),
        decides=True,
    )
    momentum: float = _row(
        None,
        "0 to below 1. 0.9 smooths steps; costs two bytes of RAM per trainable parameter.",
        "BETA",
        good=lambda value: 0 <= value < 1,
        remedy="give a number from 0 up to, not including, 1",
        decides=True,
        by_engine={INTEGERS: 0.0, GRADIENTS: 0.9},
    )
    optimizer: str = _row(
        "sgd",
        "What makes a move of the votes. sgd: their sum along the directions, with momentum if given; adam: that "
        "divided by each weight's own running deviation, with momentum as its first decay (0.9 is usual), for four "
        "more bytes of RAM per parameter that moves.",
        "NAME",
        choices=OPTIMIZERS,
        decides=True,
        unsaid="sgd",
    )
    distribution: str = _row(
        "normal",
        "Of the directions: normal, rademacher or binomial.",
        "NAME",
        choices=DISTRIBUTIONS,
        decides=True,
    )
    perturbation: str = _row(
        "exact",
        "exact: weights plus and minus the probe. paper: its formula (6), which shrinks them a little.",
        "NAME",
        choices=PERTURBATIONS,
        decides=True,
    )
    rounding: str = _row(
        "nearest",
        "Of the update: nearest, floor (the paper) or stochastic (moves below one quantum count on average).",
        "NAME",
        choices=ROUNDINGS,
        decides=True,
    )
    sparsity: float = _row(
        0.0,
        "Share of the weights that stay as they are, neither probed nor moved; --mask says which.",
        "SHARE",
        good=lambda value: 0 <= value < 1,
        remedy="give a share from 0 up to, not including, 1",
        decides=True,
        unsaid=0.0,
    )
    mask: str = _row(
        "magnitude",
        "Which weights move where --sparsity leaves some alone. magnitude: the largest of each tensor, before the run; "
        "threshold: the largest of all, in what epsilon is measured in; random: by the seed; saliency: those along "
        "which the loss changes most, as probes say before the run, one step of them for every 20 of the run.",
        "NAME",
        choices=MASKS,
        decides=True,
        unsaid="magnitude",
    )
    guide: float = _row(
        0.0,
        "Momentum-guided sampling: the share of each direction that is where the step before went, up to 0.99; the "
        "rest is drawn. Costs one byte of RAM per parameter that moves.",
        "RHO",
        good=lambda value: value == 0 or 0.001 <= value <= 0.99,
        remedy="give 0, or a share from 0.001 to 0.99",
        decides=True,
        unsaid=0.0,
    )
    sharpness: int = _row(
        0,
        "Sharpness-aware perturbation: before a step tries its directions, it moves the weights this many steps of "
        "epsilon along one more, to the side with the larger loss, for two more passes over the first one's samples.",
        "N",
        **_between(0, 127, "give a number of steps of epsilon from 0 to 127"),
        decides=True,
        unsaid=0,
    )
    low_bits: str = _row(
        "auto",
        "How weights of 8 and 4 bits learn. auto: as master-2 where those of the last layer move, as master where only "
        "others do, else direct. direct: moves below half a quantum are lost. master: 16-bit weights learn in their "
        "place, and are rounded for validation and at the end. master-1, -2, -3: the same, and those of the last "
        "layer, if it is linear, may grow 2, 4 or 8 times beyond their range; its scales then grow by powers of two. "
        "fraction-8, -4, -2: moves add up in as many bits below each weight, in RAM while it trains; forward passes "
        "see the rounded weights. accumulate-K (accumulate-16): weights move every K steps by the sum of all their "
        "votes, which are all they cost in RAM.",
        "FORM",
        good=lambda value: _low_bits(value) is not None,
        remedy="use auto, direct, master, master-1, -2 or -3, fraction-8, -4 or -2, or accumulate-K with K from 2 to "
        "255",
        decides=True,
        unsaid="direct",
    )
    schedule: str = _row(
        "cosine", "Of the learning rate: constant, linear or cosine.", "NAME", choices=SCHEDULES, decides=True
    )
    warmup: int = _row(0, "Steps over which the learning rate rises from 0.", "N", **_from(0), decides=True)
    tail: str = _row(
        "auto",
        "What moves the last layer. votes: as everything else; exact: its own gradient, which needs no more than its "
        "inputs and the softmax of the samples that are run anyway. auto: exact where that layer is linear, moves, and "
        "can take it; else votes.",
        "NAME",
        choices=TAILS,
        decides=True,
        unsaid="votes",
    )
    tail_layers: int = _row(
        2,
        "Layers that an exact tail has at most. 2: also the one before the last, where its outputs are the last one's "
        "inputs, at once or averaged over all positions; takes 4 bytes of state for each of its weights. 1: the last.",
        "N",
        **_between(1, 2, "give 1 or 2"),
        decides=True,
        unsaid=1,
    )
    tail_rate: float = _row(
        4.0,
        "Of an exact tail: how far a step corrects an error, at the peak of the schedule. Relative to the "
        "size of the layer's inputs, so that one number fits any network.",
        "R",
        **_positive(100, "give a small positive number, such as 4"),
        decides=True,
        unsaid=4.0,
    )
    judge: str = _row(
        "training",
        "What chooses the weights that are kept, next to accuracy. training: the held-out loss as it trains, at its "
        "temperature; flat: at twice that, whose least value comes later, often where more samples are classified "
        "correctly and wrong answers are surer; plain: at temperature 1, whose least value comes earlier.",
        "LOSS",
        choices=JUDGES,
        decides=True,
        unsaid="plain",
    )
    validation: float = _row(
        0.2,
        "Share of DATA held out to choose the weights that are kept; it moves no weights.",
        "SHARE",
        **_positive(0.9, "give a share such as 0.2"),
    )
    evaluate_every: int | None = _row(
        None, "Steps between validations.", "N", **_from(1), default="40 validations in a run"
    )
    patience: int | None = _row(
        None,
        "End after this many validations without improvement.",
        "N",
        **_from(1),
        default="never before the last step",
    )

    def __post_init__(self) -> None:
        need(self.method in METHODS, "method", self.method, f"choose one of {', '.join(METHODS)}")
        if self.steps and self.minutes is not None:
            raise StepforwardError("both steps and minutes are given", "give one of them")
        if self.most_steps is None and (self.steps or self.minutes is not None):
            object.__setattr__(self, "most_steps", 0)
        integers = METHODS[self.method].needs == INTEGERS
        searching = self.sizes != "absolute" and integers
        for name, train in (("head_start", "head"), ("bias_start", "bias")):
            if getattr(self, name) is None:
                object.__setattr__(self, name, "auto" if self.train == train and integers else "none")
        if self.votes is None:
            object.__setattr__(self, "votes", self._usual_votes(searching))
        for name, row in TABLE.items():
            given = getattr(self, name)
            if given is None:
                given = 0.0 if searching and row.searched else self._usual(row)
            unmeasured = name == "steps" and self.minutes is not None
            object.__setattr__(self, name, 0 if unmeasured else _plain(name, given))
        if not searching:
            for name in self.automatic:
                need(False, name, getattr(self, name), _SMALL)
        if METHODS[self.method].needs == STATISTICS:
            self._check_few("another method")
        else:
            need(self.steps > 0 or self.minutes is not None, "steps", self.steps, _STEPS)
        if self.accumulate > 1 and self.momentum and METHODS[self.method].needs == INTEGERS:
            raise StepforwardError(
                f"low_bits = {self.low_bits!r} with momentum = {self.momentum:g}",
                "give momentum 0: steps are accumulated in its place",
            )
        if self.first_stage != "none" and METHODS[self.method].needs == GRADIENTS:
            raise StepforwardError(
                f"first_stage = {self.first_stage!r}, with method = {self.method!r}",
                "give first_stage none: only a network in fixed point is matched",
            )
        if self.ranges != "given" and METHODS[self.method].needs == GRADIENTS:
            raise StepforwardError(
                f"ranges = {self.ranges!r}, with method = {self.method!r}",
                "give ranges given: a float network has none",
            )
        if self.accumulate > 1 and self.optimizer != "sgd":
            raise StepforwardError(
                f"low_bits = {self.low_bits!r} with optimizer = {self.optimizer!r}",
                "give optimizer sgd: Adam divides the move of every step, and these move the weights together",
            )
        if self.accumulate > 1 and self.guide:
            raise StepforwardError(
                f"low_bits = {self.low_bits!r} with guide = {self.guide:g}",
                "give guide 0: a guide follows every step, and these move the weights together",
            )
        if self.votes == "curved":
            self._check_curved()
        if self.bias_factors and self.sizes == "absolute":
            raise StepforwardError(
                f"bias_sizes = {self.bias_sizes!r} with sizes = {self.sizes!r}",
                "give sizes relative: absolute sizes are units of the biases themselves",
            )
        for name in ("head_start", "bias_start"):
            if getattr(self, name) != "none" and not integers:
                raise StepforwardError(
                    f"{name} = {getattr(self, name)!r}, with method = {self.method!r}",
                    f"give {name} none: it is for methods that take steps in fixed point",
                )
        most = self.steps or 2**32 - 1
        need(self.warmup <= most, "warmup", self.warmup, "give at most the number of steps")

    def _usual_votes(self, searching: bool) -> str:
        """Curved where biases alone move, if no other setting is in their way."""
        curved = (
            self.train == "bias"
            and searching
            and not (self.momentum or self.guide or self.sharpness or self.accumulate > 1)
            and self.optimizer == "sgd"
            and (self.directions or 1) <= CURVED_DIRECTIONS
        )
        return "curved" if curved else "graded"

    def _usual(self, row: Row) -> Any:
        curved = row.curved is not None and self.votes == "curved" and METHODS[self.method].needs == INTEGERS
        needs = METHODS[self.method].needs
        usual = row.by_engine.get(needs, row.by_engine.get(_engine_of(self.method)))
        return row.curved if curved else usual

    def _check_curved(self) -> None:
        """Refuse what curved votes do not go with."""
        plain: dict[str, Any] = {"momentum": 0.0, "optimizer": "sgd", "guide": 0.0, "sharpness": 0}
        for name, value in plain.items():
            need(
                getattr(self, name) == value,
                name,
                getattr(self, name),
                f"give {value}, or votes other than curved",
            )
        need(self.accumulate == 1, "low_bits", self.low_bits, "give another, or votes other than curved")
        self._check_few("votes other than curved")

    def _check_few(self, other: str) -> None:
        """Refuse what the sums of a step of Gauss-Newton cannot hold; `other` can."""
        for name, most in (("directions", CURVED_DIRECTIONS), ("batch", CURVED_SAMPLES)):
            value = getattr(self, name)
            need(value <= most, name, value, f"give at most {most}, or {other}")

    def passes(self, samples: int) -> int:
        """Forward passes of one step, of so many samples that train."""
        batch = min(self.batch, samples)
        if self.votes == "curved":
            return (1 + self.directions) * batch
        return 2 * batch * (1 if self.share_batch else self.directions)

    @property
    def formats(self) -> QuantizationSettings:
        """How a float model is quantized."""
        return QuantizationSettings.parse(self.bits, method=self.calibration, wide=names(self.wide))

    @property
    def fraction_bits(self) -> int:
        """Bits below each weight of 8 or 4 bits."""
        form, number = _low_bits(self.low_bits) or ("", 0)
        return number if form == "fraction" else 0

    @property
    def master(self) -> bool:
        """Whether 16-bit weights learn in the place of those of 8 or 4 bits."""
        return self.low_bits.startswith("master")

    @property
    def room(self) -> int:
        """Powers of two that such weights of the last layer may grow by."""
        form, number = _low_bits(self.low_bits) or ("", 0)
        return number if form == "master" else 0

    @property
    def accumulate(self) -> int:
        """Steps that move the weights together."""
        form, number = _low_bits(self.low_bits) or ("", 0)
        return number if form == "accumulate" else 1

    @property
    def bias_factors(self) -> tuple[float, ...]:
        """What sizes of biases are multiplied by; none for 1."""
        return _bias_sizes(self.bias_sizes) or ()

    @property
    def judging_temperature(self) -> float:
        """Of the loss on validation samples that chooses among the weights of a run."""
        return FLAT * self.temperature if self.judge == "flat" else self.watching_temperature

    @property
    def watching_temperature(self) -> float:
        """Of the one that says what a run begins with, and whether it diverges."""
        return 1.0 if self.judge == "plain" else self.training_temperature

    @property
    def training_temperature(self) -> float:
        """Of the loss that trains: gradients are those of the cross-entropy itself."""
        return 1.0 if METHODS[self.method].needs == GRADIENTS else self.temperature

    @property
    def automatic(self) -> tuple[str, ...]:
        """The settings that a search finds before a run, by name."""
        return tuple(name for name, row in TABLE.items() if row.searched and not getattr(self, name))

    def searched(self) -> "Settings":
        """The same with fixed values for those that nobody has searched."""
        values: dict[str, Any] = {name: TABLE[name].searched for name in self.automatic}
        sizes = "range" if self.bias_sizes == "auto" else self.bias_sizes
        return replace(self, **values, bias_sizes=sizes)

    def with_steps(self, steps: int) -> "Settings":
        """The same with a number of steps, where a run was given minutes."""
        return replace(self, steps=steps, minutes=None)

    def deciding(self) -> dict[str, Any]:
        """The settings that decide bits of the weights, as a journal's header holds them: without those that are what
        a journal means that does not say them.
        """
        values = {name: getattr(self, name) for name in DECIDING}
        return {name: value for name, value in values.items() if value != TABLE[name].unsaid}


def _low_bits(text: str) -> tuple[str, int] | None:
    """The form in which low-bit weights learn, and its number; None if there is no such form."""
    form, _, digits = text.partition("-")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else 0
    plain = not digits
    forms = {
        "auto": plain,
        "direct": plain,
        "master": plain or number in (1, 2, 3),
        "fraction": number in (2, 4, 8),
        "accumulate": 2 <= number <= 255,
    }
    return (form, number) if forms.get(form) and text == (f"{form}-{number}" if number else form) else None


def _bias_sizes(text: str) -> tuple[float, ...] | None:
    """The numbers of a text, none of auto and range; None if it is neither."""
    if text in ("auto", "range"):
        return ()
    try:
        values = tuple(float(word) for word in text.split(","))
    except ValueError:
        return None
    return values if all(1e-6 <= value <= 1e6 for value in values) else None


def _engine_of(method: str) -> str:
    """What a method's defaults go by; matching has those of integers where it has none of its own."""
    needs = METHODS[method].needs
    return INTEGERS if needs == STATISTICS else needs


def need(condition: bool, name: str, value: object, remedy: str) -> None:
    """Refuse a setting by name.

    Raises:
        StepforwardError: the condition does not hold.
    """
    if not condition:
        raise StepforwardError(f"{name} = {value!r}", remedy)


def _plain(name: str, value: Any) -> Any:
    """A value in range as Python's own type, which JSON and `struct` take; NumPy's numbers are numbers."""
    row, (kind, optional) = TABLE[name], KINDS[name]
    if value is None and optional and not row.by_engine:
        return None
    accepts, remedy = {
        int: (Integral, "give a whole number"),
        float: (Real, "give a number"),
        str: (str, "give text"),
        bool: (bool, "give True or False"),
    }[kind]
    need(isinstance(value, accepts) and (kind is bool or not isinstance(value, bool)), name, value, remedy)
    need(not row.choices or value in row.choices, name, value, f"choose one of {', '.join(row.choices)}")
    need(row.good(value), name, value, row.remedy)
    return kind(value)


def _kind(annotation: Any, row: Row) -> tuple[type, bool]:
    """The type of a setting, and whether None may be given for it: it has no value, or a default by the method."""
    parts = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return parts[0], NoneType in parts or bool(row.by_engine)


TABLE: dict[str, Row] = {entry.name: entry.metadata["row"] for entry in fields(Settings)}
"""What is said of every setting, by name."""

KINDS = {name: _kind(annotation, TABLE[name]) for name, annotation in get_type_hints(Settings).items()}
"""Type of every setting, and whether None may be given for it."""

DECIDING = tuple(name for name, row in TABLE.items() if row.decides)
"""The settings that decide bits of the weights whatever the data."""


def takes_settings(function: Callable) -> Callable:
    """Show every setting in the signature of a function that takes them as its last `**` argument."""
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    made = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(Settings, name),
            annotation=kind | None if optional else kind,
        )
        for name, (kind, optional) in KINDS.items()
    ]
    changed: Any = function
    changed.__signature__ = signature.replace(parameters=[*own, *made])
    return function


def default_text(name: str) -> str | None:
    """The default as a person reads it, where the default of the field does not say it."""
    row = TABLE[name]
    if row.default is not None or not row.by_engine:
        return row.default
    values = {who: value if isinstance(value, str) else f"{value:g}" for who, value in row.by_engine.items()}
    said = values[INTEGERS] + "".join(
        f"; {other} {values[needs]}"
        for other, needs in (("backprop", GRADIENTS), ("match", STATISTICS))
        if values.get(needs, values[INTEGERS]) != values[INTEGERS]
    )
    said += f"; curved votes {row.curved:g}" if row.curved is not None else ""
    return said if row.searched is None else f"{said}; relative sizes: searched"
