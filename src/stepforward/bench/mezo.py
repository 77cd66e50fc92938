"""MeZO ("Fine-Tuning Language Models with Just Forward Passes", NeurIPS 2023, algorithm 1), float32 in torch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


@torch.no_grad()
def mezo_step(
    parameters: Sequence[Tensor], loss: Callable[[], Tensor], seed: int, epsilon: float, lr: float
) -> tuple[float, float]:
    r"""One step of zeroth-order SGD in place: z is drawn again from the seed each time, never stored.

    .. math::
        g = \frac{L(w + \epsilon z) - L(w - \epsilon z)}{2 \epsilon}, \qquad w \leftarrow w - \eta \, g \, z

    Args:
        parameters: moved in place.
        loss: mean loss of the batch at the present parameters.

    Returns:
        Both losses.
    """
    _shift(parameters, seed, epsilon)
    up = loss().item()
    _shift(parameters, seed, -2 * epsilon)
    down = loss().item()
    _shift(parameters, seed, epsilon)
    _shift(parameters, seed, -lr * (up - down) / (2 * epsilon))
    return up, down


def _shift(parameters: Sequence[Tensor], seed: int, distance: float) -> None:
    """Move all parameters along z."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        z = torch.empty_like(parameter).normal_(generator=generator)
        parameter.add_(z, alpha=distance)
