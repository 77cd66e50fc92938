"""Resize and transposed convolutions: the same function from ONNX Runtime to integers, and as torch exports them."""

import numpy as np
import pytest
from onnx_graphs import parse, ramp
from whole_way import HEAD, held

from stepforward.errors import StepforwardError
from stepforward.sources.onnx.canonical import canonicalize

NEAREST = 'mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"'


@pytest.mark.parametrize(
    ("how", "scales", "size"),
    [
        (NEAREST, [1, 1, 2, 2], (12, 12)),
        (NEAREST, [1, 1, 1, 3], (6, 18)),
        ('mode="nearest"', [1, 1, 2, 1], (12, 6)),
        ('mode="linear"', [1, 1, 2, 2], (12, 12)),
        ('mode="linear", coordinate_transformation_mode="align_corners"', [1, 1, 2, 1], (12, 6)),
        ('mode="linear"', [1, 1, 1.5, 0.5], (9, 3)),
        ('mode="cubic"', [1, 1, 1, 2], (6, 12)),
    ],
)
def test_images_are_resized(how, scales, size):
    width, more = 4 * size[0] * size[1], {"scales": np.array(scales, np.float32)}
    body = f"a = Resize<{how}>(x, , scales)\n{HEAD}"
    kinds, program = held(parse(body, "N,4,6,6", u=ramp(3, width), d=ramp(3), **more))
    assert ("conv" in kinds) == ("asymmetric" not in how and how != 'mode="nearest"')
    assert all(
        tensor.frozen
        for tensor in program.tensors[:-4]
        if ".fixed." in tensor.name and ".weight" in tensor.name
    )


@pytest.mark.parametrize(
    ("kernel", "own", "size"),
    [
        ((2, 2), "strides=[2, 2]", (12, 12)),
        ((3, 3), "strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]", (12, 12)),
        ((4, 4), "strides=[2, 2], pads=[1, 1, 1, 1]", (12, 12)),
        ((3, 2), "strides=[3, 3], pads=[0, 1, 0, 0], output_padding=[2, 2]", (20, 18)),
        ((5, 5), "pads=[2, 2, 2, 2]", (6, 6)),
        ((4, 3), "strides=[2, 2], pads=[3, 0, 2, 1], group=2", (9, 12)),
    ],
)
def test_a_transposed_convolution_is_a_convolution_of_all_phases(kernel, own, size):
    group, width = 2 if "group" in own else 1, 4 * size[0] * size[1]
    body = f"t = ConvTranspose<{own}>(x, k, b)\na = Relu(t)\n{HEAD}"
    draw = np.random.default_rng(1).normal(size=(4, 4 // group, *kernel)).astype(np.float32)
    weights = {"k": draw, "b": ramp(4)}
    kinds, _ = held(parse(body, "N,4,6,6", u=ramp(3, width), d=ramp(3), **weights), noise=25)
    assert kinds.count("conv") == 1


def test_what_is_not_supported_is_refused_by_name():
    for body, width, message in (
        ("a = ConvTranspose<dilations=[2, 2]>(x, k)", 192, "has holes in its kernel"),
        ("a = ConvTranspose<strides=[2, 1]>(x, k)", 252, "strides of their own"),
        ('a = Resize<mode="nearest">(x, , s)', 288, "only height and width"),
    ):
        more = {"k": ramp(4, 3, 2, 2), "s": np.array([1, 2, 1, 1], np.float32)}
        with pytest.raises(StepforwardError, match=message):
            canonicalize(parse(f"{body}\n{HEAD}", "N,4,6,6", u=ramp(3, width), d=ramp(3), **more))


def test_as_torch_exports_them():
    torch = pytest.importorskip("torch")
    from stepforward.sources.torch import from_torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.down = torch.nn.Conv2d(4, 6, 3, stride=2, padding=1)
            self.up = torch.nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1)
            self.norm, self.head = torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 3)
            self.line = torch.nn.ConvTranspose1d(4, 4, 4, stride=2, padding=1)

        def forward(self, x):
            small = torch.relu(self.down(x))
            x = torch.relu(self.norm(self.up(small))) + x
            x = x + torch.nn.functional.interpolate(small[:, :4], scale_factor=2, mode="bilinear")
            x = x + torch.nn.functional.interpolate(small[:, 2:], scale_factor=2, mode="nearest")
            return self.head(self.line(x.flatten(2)).relu().mean(2))

    torch.manual_seed(0)
    net = Net().eval()
    model = from_torch(net, np.zeros((2, 4, 6, 6), np.float32))
    held(model, original=lambda x: net(torch.from_numpy(x)).detach().numpy(), noise=25)
