"""A small vision transformer, from torch to an adapted model: attention, layer norms, a class token, positions."""

import importlib.util
import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import run_ort

from stepforward.core.checks import refusal
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.moving.select import select
from stepforward.plan.make import for_training, training_arena
from stepforward.program import fileformat
from stepforward.run.prefix import run_prefix
from stepforward.settings import Settings
from stepforward.sources.open import open_source
from stepforward.verbs.adapt import adapt
from stepforward.verbs.inspect import inspect
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "vit.py"


@pytest.fixture(scope="module")
def network():
    """The example's, small, with weights of a seed; and samples."""
    torch = pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("vit", EXAMPLE)
    vit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(vit)
    torch.manual_seed(0)
    network = vit.Vit(side=12, channels=3, width=16, heads=2, depth=2, classes=4).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    x = np.random.default_rng(1).normal(size=(80, 3, 12, 12)).astype(np.float32)
    return network, x


@pytest.fixture(scope="module")
def model(network):
    """As the present exporter writes it."""
    from stepforward.sources.torch import from_torch

    return from_torch(network[0], network[1][:2])


@pytest.fixture(scope="module")
def labelled(network, model):
    """Samples with labels that the network gives most of them."""
    x = network[1]
    logits = run_ort(model, x)
    y = (logits - logits.mean(axis=0)).argmax(axis=1)
    y[::5] = (y[::5] + 1) % 4
    return x, y


def older(network, opset):
    """As the exporter before it writes it."""
    import torch

    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            *(network[0], (torch.from_numpy(network[1][:2]),), content),
            dynamo=False,
            opset_version=opset,
            input_names=["x"],
            dynamic_axes={"x": {0: "N"}},
        )
    return ir.from_proto(onnx.load_from_string(content.getvalue()))


def test_every_exporter_gives_the_same_operators(network, model, labelled):
    x, programs = labelled[0], []
    for exported in (model, older(network, 17), older(network, 14)):
        program = lower(open_source(quantize(exported, x)).network())
        programs.append(program)
        logits = logits_of(ReferenceEngine(program), quantize_input(program, x))
        real, exact = logits * program.tensors[program.output].scale[0], run_ort(exported, x)
        assert ((real - exact) ** 2).mean() / (exact**2).mean() < 1e-3  # 30 dB
    kinds = [[op.kind for op in program.ops] for program in programs]
    assert kinds[0] == kinds[1] == kinds[2]
    counts = {kind: kinds[0].count(kind) for kind in ("conv", "matmul", "softmax", "layer_norm", "lookup")}
    assert counts == {"conv": 13, "matmul": 4, "softmax": 2, "layer_norm": 5, "lookup": 2}


def test_it_is_a_file_and_the_core_agrees(model, labelled):
    program = lower(open_source(quantize(model, labelled[0])).network())
    content = fileformat.to_bytes(program)
    assert refusal(content) is None and fileformat.from_bytes(content) == program
    q = quantize_input(program, labelled[0])
    assert np.array_equal(logits_of(CoreEngine(program), q), logits_of(ReferenceEngine(program), q))


@pytest.mark.parametrize("bits", ["16w8a", "8w8a"])
def test_it_is_adapted_and_replayed(model, labelled, bits, tmp_path):
    how = {"train": "all", "bits": bits, "steps": 4, "directions": 2, "batch": 8, "progress": False}
    result = adapt(model, labelled, out=tmp_path / "run", **how)
    program = fileformat.load(tmp_path / "run" / "adapted.sfp")
    again = lower(open_source(tmp_path / "run" / "adapted.onnx").network())
    assert program.weights == again.weights
    replayed = replay(tmp_path / "run" / "base.onnx", tmp_path / "run" / "journal")
    assert replayed["weights_sha256"] == result["weights_sha256"] == program.weights_sha256
    found = inspect(tmp_path / "run" / "adapted.onnx", train="all")
    assert found["scratch_bytes_training"] > 0


def test_a_layer_is_chosen_together_with_the_norm_after_it(model, labelled):
    program = lower(open_source(quantize(model, labelled[0])).network())
    chosen = {program.tensors[index].name for index in select(program, "last:3")}
    kinds = [op.kind for op in program.ops if program.tensors[op.weight].name in chosen and op.parameters]
    assert kinds == ["conv", "conv", "layer_norm", "fully_connected"]
    assert len(select(program, "head")) == 2


def test_what_lies_before_a_residual_block_runs_once_where_its_second_layer_moves(model, labelled):
    x, y = labelled
    program = lower(open_source(quantize(model, x)).network())
    samples = {"train": (quantize_input(program, x[:8]), y[:8].astype(np.int32))}
    trained, plan = for_training(program, select(program, "last:2"), Settings(steps=2, batch=8, directions=2))
    reached = run_prefix(trained, plan, samples, Settings())
    assert 0 < reached.position < plan.first_op
    ends = []
    for part, rest, left in (
        (samples, trained, plan),
        (reached.samples, reached.program(trained), reached.plan(plan)),
    ):
        engine, batch = CoreEngine(training_arena(rest, left), left), Batch.of(*part["train"])
        ends.append((list(qzo_ff(engine, lambda _, b=batch: b, range(2), 2, True)), engine.snapshot()))
    assert ends[0] == ends[1]


def test_backpropagation_goes_through_it(model, labelled):
    assert adapt(model, labelled, method="backprop", steps=3, batch=16, progress=False)["steps"] == 3


@pytest.mark.parametrize("norm_first", [False, True], ids=["norms after", "norms before"])
def test_encoder_layers_of_torch_itself(norm_first):
    """nn.TransformerEncoderLayer, whose attention brings the tokens in front of the batch."""
    torch = pytest.importorskip("torch")
    from stepforward.sources.torch import from_torch

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            how = {"batch_first": True, "norm_first": norm_first, "activation": "gelu"}
            self.layers = torch.nn.Sequential(
                *(torch.nn.TransformerEncoderLayer(8, 2, 16, **how) for _ in range(2))
            )
            self.head = torch.nn.Linear(8, 3)

        def forward(self, x):
            return self.head(self.layers(x).mean(1))

    torch.manual_seed(0)
    network, x = Encoder().eval(), np.random.default_rng(1).normal(size=(40, 6, 8)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
    program = lower(open_source(quantize(from_torch(network, x[:2]), x)).network())
    kinds = [op.kind for op in program.ops]
    assert (kinds.count("conv"), kinds.count("matmul"), kinds.count("layer_norm")) == (12, 4, 4)
    logits = logits_of(CoreEngine(program), quantize_input(program, x))
    assert np.array_equal(logits, logits_of(ReferenceEngine(program), quantize_input(program, x)))
    real = logits * program.tensors[program.output].scale[0]
    assert ((real - expected) ** 2).mean() < 1e-2 * ((expected - expected.mean(axis=0)) ** 2).mean()
