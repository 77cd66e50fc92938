"""Token ids on the whole way: networks of the example, trained on text, to an adapted file and back."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from onnx_graphs import session

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.program import fileformat
from stepforward.report.terminal import inspection
from stepforward.sources.open import open_source
from stepforward.verbs.adapt import adapt
from stepforward.verbs.check import check
from stepforward.verbs.evaluate import evaluate
from stepforward.verbs.inspect import inspect
from stepforward.verbs.predict import predict
from stepforward.verbs.quantize import quantize
from stepforward.verbs.replay import replay
from stepforward.verbs.sensitivity import sensitivity

torch = pytest.importorskip("torch")
EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "text.py"


@pytest.fixture(scope="module")
def text():
    spec = importlib.util.spec_from_file_location("text", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parts(text):
    return text.pieces(most=200)


@pytest.fixture(scope="module")
def files(text, parts, tmp_path_factory):
    """The folder of a trained network and of what its user writes."""
    from stepforward.sources.onnx.file import save_onnx
    from stepforward.sources.torch import from_torch

    folder = tmp_path_factory.mktemp("tokens")
    torch.manual_seed(0)
    network = text.trained(text.Convolutions(), *parts[0], epochs=4)
    save_onnx(from_torch(network, parts[0][0][:2]), folder / "net.onnx")
    x, y = (np.concatenate([part[index][:90] for part in parts[1:]]) for index in (0, 1))
    np.savez(folder / "user.npz", x=x, y=y)
    np.savez(folder / "known.npz", x=parts[0][0], y=parts[0][1])
    return folder


@pytest.fixture(scope="module")
def run(files):
    quantize(files / "net.onnx", files / "known.npz", out=files / "base.onnx")
    return adapt(
        files / "base.onnx", files / "user.npz", test=files / "known.npz", steps=12, out=files / "run"
    )


def logits(program, x, engine=CoreEngine):
    return logits_of(engine(program), x)


def test_an_adapted_file_reads_ids_and_gives_our_logits(files, run, parts):
    ids = parts[2][0][:60]
    source = open_source(files / "run" / "adapted.onnx")
    program = lower(source.network())
    q = quantize_input(program, source.table[ids])
    found = logits(program, q)
    assert np.array_equal(found, logits(program, q, ReferenceEngine))
    written = fileformat.load(files / "run" / "adapted.sfp")
    assert written.weights == program.weights
    in_ort = session(source.model).run(None, {"ids": ids})[0]
    step = program.tensors[program.output].scale[0]
    assert np.abs(found * step - in_ort).max() < 0.03 * np.abs(in_ort).max()
    assert (found.argmax(axis=1) == in_ort.argmax(axis=1)).mean() > 0.98


def test_the_table_stays_and_everything_else_may_move(files, run):
    base, adapted = (open_source(files / name) for name in ("base.onnx", "run/adapted.onnx"))
    assert np.array_equal(base.table, adapted.table)
    again = replay(files / "base.onnx", files / "run" / "journal", out=files / "again.onnx")
    assert again["weights_sha256"] == run.weights_sha256
    with pytest.raises(StepforwardError, match=r"table\.weight is frozen"):
        adapt(files / "base.onnx", files / "user.npz", steps=1, train="table.*")


def test_what_is_said_of_such_a_network(files, run, capsys):
    found = check(files / "net.onnx")
    assert (found["supported"], found["input_shape"]) == (True, [32])
    found = inspect(files / "run" / "adapted.sfp")
    assert found["table"] == {"name": "table.weight", "ids": 256, "bytes": 256 * 16}
    assert "table.weight" not in found["trainable"]
    assert found["weight_bytes"] > 256 * 16
    from rich.console import Console

    Console(width=120).print(inspection(found))
    assert "a row for each of 256 token ids" in capsys.readouterr().out


def test_a_float_network_learns_by_its_gradient_and_reads_ids_again(files, run):
    for model in ("net.onnx", "base.onnx"):
        options = {"method": "backprop", "steps": 300, "out": files / "float", "overwrite": True}
        adapt(files / model, files / "user.npz", **options)
        found = evaluate(files / "float" / "adapted.onnx", files / "user.npz")
        assert found["bits"] == "float32"
        assert found["accuracy"] > 0.5


def test_statistics_of_ids_are_matched_without_labels(files, run, parts):
    found = adapt(files / "base.onnx", parts[2][0][:64], method="match")
    assert open_source(found.model).given_shape == (32,)


def test_samples_of_every_kind(files, parts):
    ids = parts[2][0][:3]
    one = predict(files / "net.onnx", ids[0])
    assert one == predict(files / "net.onnx", ids)[:1]
    assert len(predict(files / "net.onnx", files / "user.npz")) == 180
    assert "ids.vectors" in {
        tensor.name for tensor in sensitivity(files / "net.onnx", ids, samples=3).tensors
    }
    with pytest.raises(StepforwardError, match=r"sample 1 holds id 256 at position 0, .* rows 0 to 255"):
        predict(files / "net.onnx", np.where(np.arange(3)[:, None] == 1, 256, ids))
    with pytest.raises(StepforwardError, match=r"x is float64 .* reads token ids, whole numbers \(N, 32\)"):
        evaluate(files / "net.onnx", (ids.astype(float), np.zeros(3, int)))
    with pytest.raises(StepforwardError, match="no image file gives"):
        evaluate(files / "net.onnx", files / "user.npz", image="scale=255")


def test_texts_in_folders_by_a_function_of_the_callers(files, text, tmp_path):
    for kind in ("0", "1", "2"):
        (tmp_path / kind).mkdir()
        for number in range(3):
            (tmp_path / kind / f"{number}.txt").write_text(f"{kind} is a line of thirty-two bytes {number}")

    def ids(path):
        return list(Path(path).read_bytes()[: text.LENGTH])

    found = evaluate(files / "net.onnx", tmp_path, preprocess=ids)
    assert found["count"] == 9


def test_a_transformer_of_ids_in_integers(text, parts):
    from stepforward.sources.torch import from_torch

    torch.manual_seed(0)
    network, ids = text.Transformer().eval(), parts[0][0][:80]
    model = from_torch(network, ids[:2])
    with torch.no_grad():
        expected = network(torch.from_numpy(ids)).numpy()
    source = open_source(quantize(model, ids))
    program = lower(source.network())
    found = (
        logits(program, quantize_input(program, source.table[ids])) * program.tensors[program.output].scale[0]
    )
    centred = expected - expected.mean(axis=0)
    assert 10 * np.log10((centred**2).mean() / ((found - expected) ** 2).mean()) > 20
