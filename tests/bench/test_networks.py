import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from stepforward.bench.networks import NETWORKS, build, samples
from stepforward.digits.clips import model_path
from stepforward.graph.forward import run
from stepforward.sources.open import open_source

CLASSES = {"lenet5": 10, "ds_cnn": 10, "resnet20": 10, "mobilenet_v1": 2, "conv4": 5}
PARAMETERS = {"lenet5": 61706, "ds_cnn": 12298, "resnet20": 269034, "mobilenet_v1": 210850, "conv4": 120581}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_alive_and_the_same_every_time(name):
    x = samples(name, 2)
    with torch.inference_mode():
        first, second = build(name)(x), build(name)(x)
    assert first.shape == (2, CLASSES[name])
    assert torch.equal(first, second)
    assert first.isfinite().all()
    assert not torch.equal(first[0], first[1])
    assert sum(p.numel() for p in build(name).parameters()) == PARAMETERS[name]


def test_samples_of_a_smaller_batch_are_the_first_of_a_larger():
    assert torch.equal(samples("lenet5", 5)[:2], samples("lenet5", 2))


def test_ds_cnn_is_the_shipped_network():
    x = samples("ds_cnn", 4)
    with torch.inference_mode():
        ours = build("ds_cnn")(x).numpy()
    np.testing.assert_allclose(
        ours, run(open_source(model_path()).model.graph, x.numpy()), rtol=1e-4, atol=1e-4
    )
