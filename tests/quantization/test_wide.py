import numpy as np
import pytest
from onnx_graphs import parse, ramp

from stepforward.errors import StepforwardError
from stepforward.lowering.lower import lower
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


def stored(source, wide=""):
    x = np.linspace(-1, 1, 4 * 72, dtype=np.float32).reshape(4, 2, 6, 6)
    settings = QuantizationSettings.parse("8w8a", wide=names(wide))
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
        ("relu", "Conv node 'w2' reads 8 bits"),
        ("none_such", "matches no activation"),
        ("global*", "Gemm node 'w' reads 8 bits"),
    ],
)
def test_what_is_read_in_8_bits_is_refused_by_the_name_of_its_reader(source, wide, told):
    with pytest.raises(StepforwardError, match=told):
        stored(source, wide)
