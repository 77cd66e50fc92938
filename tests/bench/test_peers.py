"""Peers of other runtimes: they compute the network that is timed, or are named where they are missing."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs stepforward[torch]")
pytest.importorskip("onnxruntime", reason="needs stepforward[ort]")

from stepforward.bench import peers
from stepforward.bench.workload import prepare
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower

BATCH = 4


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return prepare("ds_cnn", tmp_path_factory.mktemp("work"), BATCH)


def test_openvino_computes_what_torch_does(work):
    pytest.importorskip("openvino", reason="needs stepforward[bench]")
    expected = peers.torch_forward(work, BATCH, 1)().numpy()
    assert np.allclose(peers.openvino_f32(work, BATCH, 1)(), expected, atol=1e-3 * np.abs(expected).max())
    close = peers.openvino_int8(work, BATCH, 1)()
    assert np.abs(close - expected).mean() < 0.1 * np.abs(expected).mean()


@pytest.mark.parametrize("name", ["lenet5", "ds_cnn", "resnet20"])
def test_litert_computes_our_int8_network_but_for_roundings(name, tmp_path):
    litert = pytest.importorskip("stepforward.bench.litert", reason="needs stepforward[bench]")
    work = prepare(name, tmp_path, BATCH)
    network, x = work.int8_network, work.x_q
    logits = litert.forward(network, x, 1)().astype(int)
    assert np.abs(logits - logits_of(CoreEngine(lower(network)), x)).max() <= 2


def test_what_cannot_be_written_for_litert_is_refused_by_name(work):
    litert = pytest.importorskip("stepforward.bench.litert", reason="needs stepforward[bench]")
    node = work.int8_network.nodes[0]
    other = replace(work.int8_network, nodes=(replace(node, op_type="MatMul"),))
    with pytest.raises(StepforwardError, match=f"MatMul node {node.name!r} cannot be written"):
        litert.as_file(other, 1)


def test_missing_packages_are_named_with_their_extra(monkeypatch):
    monkeypatch.setattr(peers, "OPTIONAL", {"other_f32_forward": (peers.openvino_f32, ("no_such_runtime",))})
    assert peers.peers() == peers.PEERS
    assert "other_f32 (no_such_runtime not installed); pip install 'stepforward[bench]'" in peers.absent()
    monkeypatch.setattr(peers, "OPTIONAL", {})
    assert peers.absent() is None
