import pytest

pytest.importorskip("torch")
import torch

from stepforward.bench.mezo import mezo_step

SEED, EPSILON = 11, 1e-2


def parameters():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(5, 3, generator=generator), torch.randn(7, generator=generator)]


def z_of(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.empty(5, 3).normal_(generator=generator), torch.empty(7).normal_(generator=generator)]


def test_a_learning_rate_of_zero_restores_the_weights():
    weights, before = parameters(), parameters()
    up, down = mezo_step(weights, lambda: sum(w.square().sum() for w in weights), SEED, EPSILON, 0.0)
    assert up != down
    for w, b in zip(weights, before, strict=True):
        torch.testing.assert_close(w, b, rtol=0, atol=1e-6)


def test_both_losses_are_taken_along_z_and_the_step_goes_against_the_slope():
    weights, before, lr = parameters(), parameters(), 1e-2
    seen = []

    def loss():
        seen.append([w.clone() for w in weights])
        return sum(w.square().sum() for w in weights)

    up, down = mezo_step(weights, loss, SEED, EPSILON, lr)
    slope = (up - down) / (2 * EPSILON)
    for at_up, at_down, w, b, z in zip(*seen, weights, before, z_of(SEED), strict=True):
        torch.testing.assert_close(at_up, b + EPSILON * z)
        torch.testing.assert_close(at_down, b - EPSILON * z)
        torch.testing.assert_close(w, b - lr * slope * z)
    along_z = 2 * sum((b * z).sum().item() for b, z in zip(before, z_of(SEED), strict=True))
    assert slope == pytest.approx(along_z, rel=1e-3)
