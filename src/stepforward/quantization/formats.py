"""The settings of a quantization: bits, calibration method, symmetry."""

import re
from dataclasses import dataclass

from stepforward.errors import StepforwardError

WEIGHT_BITS = (16, 8, 4)
METHODS = ("minmax", "percentile", "mse")
AUTO = "auto"


@dataclass(frozen=True)
class QuantizationSettings:
    """How `quantize` chooses formats.

    Attributes:
        weight_bits: 16, 8 or 4.
        activation_bits: 8.
        logits_bits: 16 or 8, where a Conv or Gemm computes the output; 16 keeps small differences of the loss.
        per_channel: one weight scale per output channel; None: for 8 and 4 bits, not for 16.
        method: range of an activation: "minmax", "percentile" of the magnitudes, or "mse" (least squared error).
        percentile: of the magnitudes, for that method.
        wide: names of activations that get 16 bits, or patterns (`quantization.wide`); among them `AUTO` for those
            that gain from it on the calibration data (`quantization.wide_auto`).
        symmetric: zero point 0 everywhere; otherwise tensors that are never negative use all 256 steps.

    >>> str(QuantizationSettings.parse("8w8a"))
    '8w8a'
    """

    weight_bits: int = 16
    activation_bits: int = 8
    logits_bits: int = 16
    per_channel: bool | None = None
    method: str = "minmax"
    percentile: float = 99.99
    symmetric: bool = False
    wide: tuple[str, ...] = ()

    def __post_init__(self):
        checks = (
            ("weight_bits", self.weight_bits in WEIGHT_BITS, "16, 8 or 4"),
            ("activation_bits", self.activation_bits == 8, "8"),
            ("logits_bits", self.logits_bits in (16, 8), "16 or 8"),
            ("calibration method", self.method in METHODS, "minmax, percentile or mse"),
            ("percentile", 50 < self.percentile <= 100, "above 50, at most 100"),
        )
        for name, good, allowed in checks:
            if not good:
                field = name.rpartition(" ")[2]
                raise StepforwardError(f"{name} is {getattr(self, field)!r}", f"choose {allowed}")

    @classmethod
    def parse(cls, text: str, **others) -> "QuantizationSettings":
        """Settings from "16w8a" (16-bit weights, 8-bit activations); `others` are further fields.

        >>> QuantizationSettings.parse("8w8a", wide=names("add, blocks.*")).wide
        ('add', 'blocks.*')

        Raises:
            StepforwardError: the text has another form, or the bits are not supported.
        """
        match = re.fullmatch(r"(\d+)w(\d+)a", text.strip().lower())
        if match is None:
            raise StepforwardError(f"bits {text!r} are not of the form 16w8a", "use 16w8a, 8w8a or 4w8a")
        return cls(weight_bits=int(match[1]), activation_bits=int(match[2]), **others)

    @property
    def channelwise(self) -> bool:
        """Whether weights get one scale per output channel."""
        return self.weight_bits < 16 if self.per_channel is None else self.per_channel

    def __str__(self) -> str:
        return f"{self.weight_bits}w{self.activation_bits}a"


def names(text: str) -> tuple[str, ...]:
    """What a text lists with commas in between."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
