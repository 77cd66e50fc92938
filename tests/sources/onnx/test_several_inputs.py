"""Several inputs: one row of numbers inside, and the model's own inputs in every file that is written."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import ramp, session

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.onnx.several_inputs import ROW, put_apart, take_together
from stepforward.sources.open import open_source

TEXT = """<ir_version: 10, opset_import: ["": 18]>
net (float[N,2,6,6] image, float[N,5] motion, float[N,3,8] sound) => (float[N,3] logits) {
    a = Conv<kernel_shape=[3, 3], strides=[2, 2]>(image, w, b)
    ra = Relu(a)
    ma = GlobalAveragePool(ra)
    fa = Flatten(ma)
    c = Conv<kernel_shape=[3]>(sound, v, b)
    rc = Relu(c)
    mc = GlobalAveragePool(rc)
    fc = Flatten(mc)
    g = Gemm<transB=1>(motion, u, b)
    rg = Relu(g)
    all = Concat<axis=1>(fa, rg, fc)
    logits = Gemm<transB=1>(all, o, d)
}"""
WEIGHTS = {
    "w": ramp(4, 2, 3, 3),
    "v": ramp(4, 3, 3, scale=20.0),
    "u": ramp(4, 5, scale=0.01),
    "o": ramp(3, 12),
    "b": ramp(4, scale=0.1),
    "d": np.zeros(3, np.float32),
}
RNG = np.random.default_rng(2)
X = {
    "image": RNG.normal(0.5, 0.3, (60, 2, 6, 6)).astype(np.float32),
    "motion": RNG.normal(400, 90, (60, 5)).astype(np.float32),
    "sound": RNG.normal(0, 0.01, (60, 3, 8)).astype(np.float32),
}
WHOLE = np.concatenate([x.reshape(60, -1) for x in X.values()], axis=1)


def network(text=TEXT, **weights):
    proto = onnx.parser.parse_model(text)
    for name, array in (WEIGHTS | weights).items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return proto


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("several") / "m.onnx"
    onnx.save(network(), file)
    return file


@pytest.fixture(scope="module")
def quantized(path):
    return open_source(path).quantized(QuantizationSettings(), WHOLE)


def own(path):
    return session(ir.load(path)).run(None, X)[0]


def test_the_network_computes_what_it_did_from_a_row(path):
    source = open_source(path)
    assert [(part.name, part.shape) for part in source.parts] == [
        ("image", (2, 6, 6)),
        ("motion", (5,)),
        ("sound", (3, 8)),
    ]
    assert source.input_shape == (72 + 5 + 24,)
    found = run(source.float_model().graph, WHOLE)
    assert np.allclose(found, own(path), atol=1e-5)


def test_inputs_of_very_different_size_each_have_the_whole_range(path, quantized):
    program = lower(quantized.network())
    found = logits_of(CoreEngine(program), quantize_input(program, WHOLE))
    real = found * program.tensors[program.output].scale[0]
    exact = own(path)
    assert np.abs(real - exact).max() < 0.05 * np.ptp(exact)
    alone = {name: np.repeat(x[:1], 60, axis=0) for name, x in X.items()}
    for name in X:  # each is seen by itself
        row = np.concatenate([(alone | {name: X[name]})[part].reshape(60, -1) for part in X], axis=1)
        assert len(np.unique(logits_of(CoreEngine(program), quantize_input(program, row)), axis=0)) > 30


def test_a_written_file_has_its_own_inputs_and_a_runtime_computes_the_same(quantized, tmp_path):
    quantized.save(tmp_path / "q.onnx")
    runtime = session(ir.load(tmp_path / "q.onnx"))
    assert [(one.name, one.shape[1:]) for one in runtime.get_inputs()] == [
        ("image", [2, 6, 6]),
        ("motion", [5]),
        ("sound", [3, 8]),
    ]
    program = lower(open_source(tmp_path / "q.onnx").network())
    integers = logits_of(CoreEngine(program), quantize_input(program, WHOLE))
    found = runtime.run(None, X)[0]
    in_steps = found / program.tensors[program.output].scale[0]
    assert np.abs(in_steps - integers).max() < 3  # of 16 bits; a float runtime rounds sums in float32
    reference = ReferenceEngine(program).outputs(Batch.of(quantize_input(program, WHOLE)))[0]
    assert (reference == integers).all()


def test_reading_a_written_file_gives_the_same_program(quantized, tmp_path):
    quantized.save(tmp_path / "q.onnx")
    again = open_source(tmp_path / "q.onnx")
    assert again.parts == quantized.parts
    assert lower(again.network()).ops == lower(quantized.network()).ops
    assert lower(again.network()).metadata["inputs"][1] == {"name": "motion", "shape": [5]}
    float_again = run(again.float_model().graph, WHOLE)
    assert np.allclose(float_again, run(quantized.float_model().graph, WHOLE), atol=1e-5)
    read = session(again.reading_samples(again.float_model()))
    assert np.allclose(read.run(None, X)[0], float_again, atol=1e-4)


def test_a_float_file_that_is_written_is_read_as_before(path, tmp_path):
    source = open_source(path)
    source.save(tmp_path / "again.onnx")
    again = open_source(tmp_path / "again.onnx")
    assert again.parts == source.parts
    assert [node.op_type for node in again.model.graph] == [node.op_type for node in source.model.graph]
    assert np.allclose(session(ir.load(tmp_path / "again.onnx")).run(None, X)[0], own(path), atol=1e-5)


def test_a_model_of_one_input_stays_as_it_is(path):
    source = open_source(path)
    assert take_together(source.model) == (source.model, ())
    assert put_apart(source.model, ()) is source.model
    assert source.model.graph.inputs[0].name == ROW


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (("float[N,5] motion", "int64[N,5] motion"), "several have to be float32 samples"),
        (("float[N,3,8] sound)", "float[N,3,8] sound, float[1] rate)"), "--fixed-inputs NAME=NUMBER"),
        (("=> (float[N,3] logits)", "=> (float[N,3] logits, float[N,12] all)"), "of a model with one output"),
        (("float[N,3,8] sound)", "float[N,3,8] sound, float[N,4] idle)"), "input 'idle' is read by nothing"),
        (("float[N,5] motion", "float[N,M] motion"), "axis 1 of input 'motion'"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(given, what, tmp_path):
    onnx.save(network(TEXT.replace(*given)), tmp_path / "bad.onnx")
    with pytest.raises(StepforwardError, match=what):
        open_source(tmp_path / "bad.onnx")
