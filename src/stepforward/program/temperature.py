"""The training loss at a temperature: logits are divided by it before the cross-entropy (contract, section 5)."""

from dataclasses import replace

from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.errors import StepforwardError
from stepforward.program.model import Program


def at_temperature(program: Program, temperature: float) -> Program:
    """The program whose losses are taken at a temperature. Logits stay as they are; at 1 nothing changes.

    Raises:
        StepforwardError: the multiplier leaves the arithmetic.
    """
    if temperature == 1:
        return program
    mult, shift = program.loss_rescale
    try:
        return replace(program, loss_rescale=quantize_multiplier(mult / 2**shift / temperature))
    except ValueError as error:
        raise StepforwardError(
            f"temperature {temperature:g} is too small for the scale of the logits: {error}",
            "use a larger one",
        ) from error
