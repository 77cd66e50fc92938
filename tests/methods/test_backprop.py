import numpy as np
import pytest

torch = pytest.importorskip("torch")

from stepforward.digits.clips import load_clips, model_path  # noqa: E402
from stepforward.engines.protocol import Batch  # noqa: E402
from stepforward.engines.torch import TorchEngine  # noqa: E402
from stepforward.graph.metadata import get_preprocessing  # noqa: E402
from stepforward.methods.backprop import GRADIENT, sgd  # noqa: E402
from stepforward.methods.protocol import Method, take  # noqa: E402
from stepforward.settings import Settings  # noqa: E402
from stepforward.sources.onnx.canonical import canonicalize  # noqa: E402
from stepforward.sources.onnx.file import load_onnx  # noqa: E402


def backprop(engine, batches, steps, settings):
    return take(Method(GRADIENT, sgd(settings)), engine, batches, steps)


class Parabola:
    """L(w) = w^2 / 2."""

    trainable = ("w",)

    def __init__(self):
        self.w = np.float32([8.0])

    def gradients(self, batch):
        return float(self.w[0] ** 2 / 2), {"w": self.w.copy()}

    def apply(self, moves):
        self.w += moves["w"]


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_steps_are_those_of_torchs_sgd(schedule):
    steps = 8
    factor = {
        "constant": lambda t: 1.0,
        "linear": lambda t: 1 - t / steps,
        "cosine": lambda t: (1 + np.cos(np.pi * t / steps)) / 2,
    }[schedule]
    w = torch.tensor([8.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    engine = Parabola()
    settings = Settings(method="backprop", steps=steps, lr=0.1, momentum=0.9, schedule=schedule)
    for step in backprop(engine, lambda number: Batch.of(np.zeros(4)), range(steps), settings):
        loss = (w**2 / 2).sum()
        assert step.loss == pytest.approx(loss.item(), rel=1e-3)
        assert step.forward_passes == 4
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        assert engine.w[0] == pytest.approx(w.item(), rel=1e-3, abs=1e-3)


def test_the_rate_warms_up():
    engine = Parabola()
    settings = Settings(method="backprop", steps=4, lr=0.5, momentum=0.0, schedule="constant", warmup=2)
    moves = []
    for _ in backprop(engine, lambda number: Batch.of(np.zeros(1)), range(4), settings):
        moves.append(float(engine.w[0]))
    assert moves == [6.0, 3.0, 1.5, 0.75]


def test_the_demo_network_learns_the_new_speaker():
    model = canonicalize(load_onnx(model_path()))
    clips = load_clips("adapt", get_preprocessing(model))
    clips = clips.take(range(0, 100, 5))
    engine = TorchEngine(model, tuple(name for name in model.graph.initializers if name.endswith("bias")))
    frozen = engine.model().graph.initializers["stem.weight"].const_value.numpy().copy()
    losses = [
        step.loss
        for step in backprop(
            engine,
            lambda number: Batch.of(clips.x, clips.y),
            range(5),
            Settings(method="backprop", steps=5, lr=1e-2),
        )
    ]
    assert losses[-1] < 0.9 * losses[0]
    np.testing.assert_array_equal(
        engine.model().graph.initializers["stem.weight"].const_value.numpy(), frozen
    )
