import pytest
from onnx_graphs import parse, ramp

from stepforward.graph.channels import channel_axis
from stepforward.sources.onnx.canonical import canonicalize

HEAD = "p = GlobalAveragePool(t)\nf = Flatten(p)\ny = Gemm<transB=1>(f, w)"


@pytest.mark.parametrize(
    ("front", "shape", "channels", "axis"),
    [
        ("t = Transpose<perm=[0, 3, 1, 2]>(x)", "N,6,4,3", 3, 3),
        ("t = Reshape(x, s)", "N,6,4,1", 1, 3),
        ("t = Transpose<perm=[0, 2, 1, 3]>(x)", "N,6,4,3", 4, 1),
        ("t = Relu(x)", "N,6,4,3", 6, 1),
    ],
)
def test_the_first_operator_says_where_channels_are(front, shape, channels, axis):
    constants = {"s": [-1, 1, 6, 4]} if "Reshape" in front else {}
    model = canonicalize(parse(f"{front}\n{HEAD}", shape, w=ramp(2, channels), **constants))
    assert channel_axis(model.graph) == axis


def test_all_readers_of_the_input_must_agree():
    body = "t = Transpose<perm=[0, 3, 1, 2]>(x)\nr = Relu(x)\n" + HEAD.replace("y =", "z =")
    model = parse(
        f"{body}\nq = Flatten(r)\nv = Gemm<transB=1>(q, u)\ny = Add(z, v)",
        "N,6,4,3",
        w=ramp(2, 3),
        u=ramp(2, 72),
    )
    assert channel_axis(canonicalize(model).graph) == 1
