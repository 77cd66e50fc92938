"""Operators that others spell out: the same function from ONNX Runtime to integers, and as torch exports them."""

import numpy as np
import pytest
from onnx_graphs import parse, ramp
from whole_way import HEAD, held

from stepforward.errors import StepforwardError
from stepforward.sources.onnx.canonical import canonicalize

SIX, FOUR = 1 + ramp(6), 1 + ramp(4)


@pytest.mark.parametrize(
    ("body", "width", "more"),
    [
        ("a = Softmax<axis=1>(x)", 144, {}),
        ("a = Softmax<axis=-2>(x)", 144, {}),
        ("r = Sigmoid(x)\na = Max(x, r)", 144, {}),
        ("r = Sigmoid(x)\na = Min(r, x)", 144, {}),
        ("a = ReduceMin<keepdims=0>(x, one)", 36, {"one": np.array([1])}),
        ("a = ReduceSum<keepdims=1>(x, last)", 24, {"last": np.array([-1])}),
        ("a = ReduceL1<keepdims=1>(x, one)", 36, {"one": np.array([1])}),
        ("a = ReduceL2<keepdims=1>(x, last)", 24, {"last": np.array([-1])}),
        ("a = ReduceSumSquare<keepdims=0>(x, last)", 24, {"last": np.array([-1])}),
        ("a = LpNormalization<axis=1, p=2>(x)", 144, {}),
        ("a = LpNormalization<axis=-1, p=1>(x)", 144, {}),
        ("a = LayerNormalization<axis=1>(x, whole, whole)", 144, {"whole": 1 + ramp(4, 6, 6)}),
        ("c = InstanceNormalization(x, four, h)\na = Relu(c)", 144, {"four": FOUR, "h": ramp(4)}),
        (
            "c = GroupNormalization<num_groups=2>(x, four, h)\na = Relu(c)",
            *(144, {"four": FOUR, "h": ramp(4)}),
        ),
        (
            "s = SplitToSequence<axis=1>(x, two)\np = SequenceAt(s, none)\nq = SequenceAt(s, end)\na = Mul(p, q)",
            *(72, {"two": np.array(2), "none": np.array(0), "end": np.array(-1)}),
        ),
        (
            "s = SplitToSequence<axis=2, keepdims=0>(x)\np = SequenceAt(s, three)\na = Relu(p)",
            *(24, {"three": np.array(3)}),
        ),
    ],
)
def test_operators_that_others_spell_out(body, width, more):
    held(parse(f"{body}\n{HEAD}", "N,4,6,6", u=ramp(3, width), d=ramp(3), **more))


TOKENS = "t = Reshape(x, tokens)\n"


@pytest.mark.parametrize(
    ("body", "width", "more"),
    [
        ("a = RMSNormalization(x, six)", 144, {"six": SIX}),
        (TOKENS + "a = Attention<q_num_heads=3, kv_num_heads=3>(t, t, t)", 144, {}),
        (TOKENS + "a = Attention<q_num_heads=2, kv_num_heads=2, is_causal=1, scale=0.3>(t, t, t)", 144, {}),
        ("a = Attention(x, x, x, mask)", 144, {"mask": np.tri(6, dtype=bool)}),
        ("a = Attention(x, x, x, mask)", 144, {"mask": ramp(6, 6)}),
    ],
)
def test_operators_of_opset_23(body, width, more):
    more = more | {"tokens": np.array([0, 12, 12])}
    held(parse(f"{body}\n{HEAD}", "N,4,6,6", opset=23, u=ramp(3, width), d=ramp(3), **more))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a = Attention<softcap=2.0>(x, x, x)", "caps its scores"),
        ("m = Relu(x)\na = Attention(x, x, x, m)", "reads a mask that the network computes"),
        ("g = Relu(x)\na = RMSNormalization<axis=0>(x, g)", "RMSNormalization node .* is not supported"),
        (
            "g = Relu(x)\na = RMSNormalization<axis=1>(x, g)",
            "the weight of RMSNormalization node .* is computed",
        ),
        ("a = LpNormalization<axis=0>(x)", "LpNormalization node .* is not supported"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(body, message):
    with pytest.raises(StepforwardError, match=message):
        canonicalize(parse(f"{body}\n{HEAD}", "N,4,6,6", opset=23, u=ramp(3, 144), d=ramp(3)))


def test_weights_that_only_norm_are_fixed():
    body = f"c = InstanceNormalization(x, four, h)\na = Relu(c)\n{HEAD}"
    _, program = held(parse(body, "N,4,6,6", u=ramp(3, 144), d=ramp(3), four=FOUR, h=ramp(4)))
    frozen = {tensor.name for tensor in program.tensors if tensor.frozen}
    assert len(frozen) == 2 and all(".fixed." in name for name in frozen)


def test_as_torch_exports_them():
    torch = pytest.importorskip("torch")
    from stepforward.sources.torch import from_torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Conv2d(4, 6, 3, padding=1)
            self.group, self.instance = torch.nn.GroupNorm(3, 6), torch.nn.InstanceNorm2d(6, affine=True)
            self.whole, self.root = torch.nn.LayerNorm([6, 6, 6]), torch.nn.RMSNorm(6)
            self.second, self.head = torch.nn.Conv2d(6, 6, 3, padding=1), torch.nn.Linear(108, 3)
            for norm in (self.group, self.instance, self.whole, self.root):
                torch.nn.init.uniform_(norm.weight, 0.5, 1.5)

        def forward(self, x):
            x = torch.relu(self.group(self.first(x)))
            x = self.whole(torch.relu(self.instance(self.second(x))) + x)
            one, other = x.split([3, 3], dim=1)
            x = torch.maximum(one, other) * torch.softmax(one, dim=1)
            return self.head(self.root(x).flatten(1))

    torch.manual_seed(0)
    net = Net().eval()
    model = from_torch(net, np.zeros((2, 4, 6, 6), np.float32))
    kinds, _ = held(model, original=lambda x: net(torch.from_numpy(x)).detach().numpy(), noise=20)
    assert kinds.count("layer_norm") == 4
