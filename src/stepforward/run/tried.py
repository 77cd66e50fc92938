"""What a run tells of something that it tried before its first step."""


def in_one_line(kept: str, loss_before: float | None, loss_after: float | None, forward_passes: int) -> str:
    """One line for people.

    Args:
        kept: what the run begins with.
        loss_before, loss_after: of held-out samples, mean nats; None where nothing was tried.
        forward_passes: samples sent through the network for it.
    """
    if loss_before is None or loss_after is None:
        return kept
    return (
        f"{kept}; it takes the loss of held-out samples from {loss_before:.2f} to {loss_after:.2f} nats, in "
        f"{forward_passes:,} forward passes"
    )
