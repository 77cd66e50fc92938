import numpy as np
import pytest
from onnx_graphs import parse, ramp
from plain import plain

from stepforward.engines.core import CoreEngine
from stepforward.engines.device_loop import DeviceLoop
from stepforward.engines.protocol import Batch, logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.errors import StepforwardError
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.plan.make import plan_training
from stepforward.program.arena import plan_arena
from stepforward.quantization.formats import QuantizationSettings, names
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.open import open_source

BODY = """
    a = Conv<pads=[1,1,1,1]>(x, w1, b1)  r = Relu(a)  c = Conv<pads=[1,1,1,1]>(r, w2, b2)
    s = Add(r, c)  p = GlobalAveragePool(s)  f = Flatten(p)  y = Gemm<transB=1>(f, w, b)
"""


@pytest.fixture(scope="module")
def source():
    weights = {"w1": ramp(2, 2, 3, 3), "b1": ramp(2), "w2": ramp(2, 2, 3, 3), "b2": ramp(2)}
    return open_source(canonicalize(parse(BODY, w=ramp(3, 2), b=ramp(3), **weights)))


def stored(source, wide="", bits="8w8a"):
    x = np.linspace(-1, 1, 4 * 72, dtype=np.float32).reshape(4, 2, 6, 6)
    settings = QuantizationSettings.parse(bits, wide=names(wide))
    return lower(source.quantized(settings, x).network())


def dtypes(program):
    return {t.name: t.dtype for t in program.tensors[program.parameter_count :]}


def test_what_is_asked_for_has_16_bits_and_the_rest_as_before(source):
    before, after = dtypes(stored(source)), dtypes(stored(source, "w2"))
    changed = [name for name in before if before[name] != after[name]]
    assert (
        changed == ["w2_2"] and after["w2_2"] == "s16"
    )  # the layer is called like its weight, its result otherwise


def test_a_pattern_takes_what_can_have_16_bits(source):
    assert dtypes(stored(source, "*"))["w2_2"] == "s16"


@pytest.mark.parametrize(
    ("wide", "told"),
    [
        ("add", "GlobalAveragePool node 'global_average_pool' reads 8 bits"),
        ("none_such", "matches no activation"),
        ("global*", "Gemm node 'w' reads 8 bits: it computes the logits"),
    ],
)
def test_what_is_read_in_8_bits_is_refused_by_the_name_of_its_reader(source, wide, told):
    with pytest.raises(StepforwardError, match=told):
        stored(source, wide)


def test_convolutions_read_16_bits_of_the_input_and_of_each_other(source):
    after = dtypes(stored(source, "x,relu"))
    assert {name for name, dtype in after.items() if dtype == "s16"} == {"x", "relu", "y"}
    assert dtypes(stored(source, "*")) == after | {"w2_2": "s16"}


def test_a_depthwise_convolution_reads_8_bits():
    body = "c = Conv<group=2, pads=[1,1,1,1]>(x, w1, b1) f = Flatten(c) y = Gemm<transB=1>(f, w, b)"
    graph = parse(body, w1=ramp(2, 1, 3, 3), b1=ramp(2), w=ramp(3, 72), b=ramp(3))
    with pytest.raises(StepforwardError, match="Conv node 'w1' reads 8 bits: it is depthwise"):
        stored(open_source(canonicalize(graph)), "x")


@pytest.mark.parametrize("wide", ["x", "relu", "*"])
def test_a_network_with_16_bits_inside_is_learned_by_every_engine_alike(source, wide):
    program = stored(source, wide, "16w8a")
    plan = plan_training(
        program,
        range(program.parameter_count),
        plain(steps=3, directions=2, tail="exact", sizes="relative", epsilon=0.02, lr=0.02),
    )
    program = plan_arena(program, plan.first_op)
    x = quantize_input(program, np.random.default_rng(0).normal(0, 0.5, (5, 2, 6, 6)).astype(np.float32))
    batch = Batch.of(x, np.arange(5, dtype=np.int32) % 3)
    made = [CoreEngine(program, plan, threads=2), ReferenceEngine(program, plan)]
    taken = [list(qzo_ff(one, lambda step: batch, range(3), 2, True)) for one in made]
    assert taken[0] == taken[1] and made[0].snapshot() == made[1].snapshot()
    device = DeviceLoop(program, plan)
    assert [device.step(batch) for _ in range(3)] == [step.votes for step in taken[1]]
    assert np.array_equal(logits_of(device, x), logits_of(made[1], x))


def test_the_file_gives_the_same_program_when_it_is_read_again(source, tmp_path):
    x = np.linspace(-1, 1, 4 * 72, dtype=np.float32).reshape(4, 2, 6, 6)
    made = source.quantized(QuantizationSettings(wide=("x", "relu")), x)
    made.save(tmp_path / "m.onnx")
    first, again = (lower(one.network()) for one in (made, open_source(tmp_path / "m.onnx")))
    assert (first.tensors, first.ops, first.weights) == (again.tensors, again.ops, again.weights)
