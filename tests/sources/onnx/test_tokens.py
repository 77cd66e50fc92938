"""Token ids: their lookup is taken off a network, and is back in every file that is written."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx_graphs import ramp, session

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.errors import StepforwardError
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.program import fileformat
from stepforward.program.checks import table_of
from stepforward.program.weights import unpack_all
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.onnx.tokens import put_back, take_off
from stepforward.sources.open import open_source
from stepforward.sources.qdq.read import read_quantized

CONVOLUTION = """e = Gather(table, ids)
p = Add(e, places)
t = Transpose<perm=[0, 2, 1]>(p)
c = Conv<kernel_shape=[3], pads=[1, 1]>(t, w, b)
r = Relu(c)
m = GlobalAveragePool(r)
f = Flatten(m)
y = Gemm<transB=1>(f, u, d)"""

RECURRENT = """e = Gather(table, ids)
t = Transpose<perm=[1, 0, 2]>(e)
z, h = GRU<hidden_size=6, linear_before_reset=1>(t, wg, rg)
f = Squeeze(h, zero)
y = Gemm<transB=1>(f, u, d)"""

IDS, LENGTH, WIDTH = 11, 7, 4
RNG = np.random.default_rng(0)
X = RNG.integers(0, IDS, (40, LENGTH))
WEIGHTS = {
    "table": RNG.normal(size=(IDS, WIDTH)).astype(np.float32),
    "places": ramp(LENGTH, WIDTH, scale=0.5),
    "w": ramp(6, WIDTH, 3),
    "b": ramp(6),
    "wg": ramp(1, 18, WIDTH, scale=0.7),
    "rg": ramp(1, 18, 6, scale=0.7),
    "zero": np.array([0]),
    "u": ramp(3, 6),
    "d": np.zeros(3, np.float32),
    "nothing": np.array(0),
}


def network(body, ids=f"int64[N,{LENGTH}] ids", outputs="", opset=18, **weights):
    text = f'<ir_version: 10, opset_import: ["": {opset}]>\nnet ({ids}) => ({outputs}float[N,3] y) {{\n{body}\n}}'
    proto = onnx.parser.parse_model(text)
    for name, array in (WEIGHTS | weights).items():
        if name in body:
            proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    return ir.from_proto(proto)


def in_ort(model, x, name="ids"):
    return session(model).run(None, {name: x})[0]


@pytest.mark.parametrize("body", [CONVOLUTION, RECURRENT], ids=["convolution", "recurrent"])
def test_a_network_of_ids_is_one_of_vectors_with_a_table_in_front(body, tmp_path):
    model = network(body)
    expected = in_ort(model, X)
    source = open_source(model)
    assert (source.input_shape, source.given_shape) == ((LENGTH, WIDTH), (LENGTH,))
    np.testing.assert_array_equal(source.table, WEIGHTS["table"])
    np.testing.assert_allclose(
        run(source.float_model().graph, source.table[X]), expected, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(in_ort(source.for_callers, X), expected, rtol=1e-4, atol=1e-5)

    made = source.quantized(QuantizationSettings(), source.table[X])
    made.save(tmp_path / "q.onnx")
    again = open_source(tmp_path / "q.onnx")
    assert (again.input_shape, again.given_shape) == ((LENGTH, WIDTH), (LENGTH,))
    np.testing.assert_allclose(again.table, WEIGHTS["table"], atol=np.abs(WEIGHTS["table"]).max() / 127)
    vectors, tokens = take_off(again.model, "the model")
    assert ir.to_proto(put_back(vectors, tokens).graph.inputs[0]) == ir.to_proto(model.graph.inputs[0])
    np.testing.assert_array_equal(
        in_ort(again.model, X),
        in_ort(vectors, again.table[X], "ids.vectors"),
        "in ONNX Runtime, to the last bit",
    )
    program = lower(again.network())
    logits = logits_of(CoreEngine(program), quantize_input(program, again.table[X]))
    step = program.tensors[program.output].scale[0]
    spread = in_ort(again.model, X).std()
    np.testing.assert_allclose(logits * step, in_ort(again.model, X), atol=0.05 * spread)


def test_a_device_finds_the_rows_in_the_program(tmp_path):
    made = open_source(network(CONVOLUTION))
    program = lower(made.quantized(QuantizationSettings(), made.table[X]).network())
    content = fileformat.to_bytes(program)
    program = fileformat.from_bytes(content)
    table = table_of(program)
    assert (table.name, table.shape, table.dtype, table.frozen) == ("table", (IDS, WIDTH), "s8", True)
    assert program.tensors.index(table) == program.parameter_count - 1
    rows = int.from_bytes(content[52:56], "little") + table.offset
    looked_up = b"".join(content[rows + one * WIDTH :][:WIDTH] for one in X[3])
    assert looked_up == quantize_input(program, made.table[X[3:4]]).tobytes()


def test_a_row_that_no_sample_has_keeps_its_place_in_the_range():
    table = WEIGHTS["table"].copy()
    table[10] *= 20
    source = open_source(network(CONVOLUTION, table=table))
    made = source.quantized(QuantizationSettings(), source.table[np.minimum(X, 9)])
    program = lower(made.network())
    step = program.tensors[program.input].scale[0]
    np.testing.assert_allclose(
        unpack_all(program)[program.parameter_count - 1] * step, table, atol=step / 2 * 1.001
    )


def test_rows_that_are_never_negative_have_a_symmetric_format():
    source = open_source(network(CONVOLUTION, table=np.abs(WEIGHTS["table"])))
    program = lower(source.quantized(QuantizationSettings(), source.table[X]).network())
    assert (program.tensors[program.input].zero_point, table_of(program) is None) == (0, False)


def test_ids_of_other_types_a_table_in_half_precision_and_questions_for_their_shape():
    half = "i = Cast<to=7>(ids)\nhalves = Cast<to=1>(table)\ne = Gather(halves, i)\n"
    asked = "s = Shape(ids)\nn = Gather(s, zero)\nl = Concat<axis=0>(n, whole, width)\nq = Reshape(e, l)\n"
    rest = CONVOLUTION.replace("e = Gather(table, ids)\n", "").replace("Add(e,", "Add(q,")
    given = {"whole": np.array([LENGTH]), "width": np.array([WIDTH])}
    model = network(
        half + asked + rest, f"int32[N,{LENGTH}] ids", table=WEIGHTS["table"].astype(np.float16), **given
    )
    expected = in_ort(model, X.astype(np.int32))
    source = open_source(model)
    np.testing.assert_allclose(
        run(source.float_model().graph, source.table[X]), expected, rtol=1e-4, atol=1e-5
    )
    assert source.for_callers.graph.inputs[0].dtype == ir.DataType.INT32


def test_other_outputs_come_back_with_ids_in_front():
    model = network(CONVOLUTION + "\nwhole = ReduceSum(r)", outputs="float[N,6,7] r, float whole, ")
    source = open_source(model, output="y")
    made = source.quantized(QuantizationSettings(), source.table[X])
    assert [value.name for value in made.model.graph.outputs] == ["r", "whole", "y"]
    first = session(made.model).run(["r"], {"ids": X})[0]
    np.testing.assert_allclose(first, session(model).run(["r"], {"ids": X})[0], atol=0.05)


GATHERED = "e = Gather(table, ids)\n"


@pytest.mark.parametrize(
    ("body", "ids", "message"),
    [
        (CONVOLUTION.replace(GATHERED, "e = Cast<to=1>(ids)\n"), None, "looked up in no table: Cast"),
        (
            CONVOLUTION.replace(GATHERED, GATHERED + "k = Equal(ids, nothing)\n"),
            None,
            "and Equal node 'k' reads it besides Gather.*padding mask",
        ),
        (
            CONVOLUTION.replace(GATHERED, GATHERED + "k = Cast<to=1>(ids)\n"),
            None,
            "and Cast node 'k' reads it besides Gather.*one lookup",
        ),
        (
            CONVOLUTION.replace(GATHERED, "e1 = Gather(table, ids)\ne2 = Gather(table, ids)\ne = Add(e1, e2)\n"),
            None,
            "looked up in 2 tables: Gather node 'e1', Gather node 'e2'",
        ),
        (CONVOLUTION, f"int64[N,{LENGTH},2] ids", r"expected \(N, tokens\)"),
        (CONVOLUTION, "int64[N,T] ids", "axis 1 of input 'ids' of .* is dynamic.*--input-shape"),
        (CONVOLUTION.replace("Gather(table", "Gather<axis=1>(table"), None, "along axis 1 of its table"),
        (CONVOLUTION.replace("Gather(table", "Gather(w"), None, r"looks ids up in 'w', which is no constant table"),
        (CONVOLUTION, f"int64[N,{LENGTH}] ids, float[N,3] z", "has 2 inputs: 'ids'"),
        (CONVOLUTION, f"bool[N,{LENGTH}] ids", "is BOOL, not FLOAT"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_off_is_refused_by_name(body, ids, message, tmp_path):
    model = network(body, ids or f"int64[N,{LENGTH}] ids")
    onnx.save(ir.to_proto(model), tmp_path / "m.onnx")
    with pytest.raises(StepforwardError, match=message):
        open_source(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("outputs", "more", "output", "message"),
    [
        ("float[N,7,4] e, ", "", "y", "is what the ids stand for.*--output only:NAME"),
        ("int64[N,7] k, ", "\nk = Mul(ids, two)", "y", "computed from its token ids 'ids'.*--output only:y"),
    ],
)
def test_outputs_of_the_ids_themselves_are_refused(outputs, more, output, message):
    model = network(CONVOLUTION + more, outputs=outputs, two=np.array(2))
    with pytest.raises(StepforwardError, match=message):
        open_source(model, output=output)
    assert open_source(model, output="only:y").given_shape == (LENGTH,)


def test_a_quantized_file_with_another_table_is_refused(tmp_path):
    source = open_source(network(CONVOLUTION))
    model = source.quantized(QuantizationSettings(), source.table[X]).model
    table = model.graph.initializers["table"]
    table.const_value = ir.tensor(np.full((IDS, WIDTH), -128, np.int8), name="table")
    with pytest.raises(StepforwardError, match="the integers of table 'table' are not read as"):
        read_quantized(model)
