"""What a run tells of something that it tried before its first step."""


def at_temperature(temperature: float) -> str:
    """What to add to the name of a loss, so that it says what it is of.

    >>> at_temperature(1), at_temperature(2.0)
    ('', ' at temperature 2')
    """
    return "" if temperature == 1 else f" at temperature {temperature:g}"


def in_one_line(
    kept: str, loss_before: float | None, loss_after: float | None, forward_passes: int, temperature: float
) -> str:
    """One line for people.

    Args:
        kept: what the run begins with.
        loss_before, loss_after: of held-out samples, mean nats; None where nothing was tried.
        forward_passes: samples sent through the network for it.
        temperature: of the losses.
    """
    if loss_before is None or loss_after is None:
        return kept
    return (
        f"{kept}; it takes the loss of held-out samples{at_temperature(temperature)} from {loss_before:.2f} to "
        f"{loss_after:.2f} nats, in {forward_passes:,} forward passes"
    )
