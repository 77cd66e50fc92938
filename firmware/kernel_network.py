"""Networks of the operators that carry the work, each at the size at which its instructions are counted."""

from small_network import NetworkBuilder

from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.program.model import Program

SHAPE, LONG_SHAPE = (16, 16, 16), (7, 7, 32)
LOUD = 900
"""Most weights of this standard deviation are +-32767."""


def kernel_network() -> Program:
    """3x3, depthwise and pointwise convolution of 16 channels on 16x16, then fully connected 256 -> 64 -> 4.

    The weights of the wide fully connected layer are as large as they can be, so its sums need 64 bits.
    """
    net = NetworkBuilder(SHAPE)
    around = {"kernel": (3, 3), "padding": (1, 1, 1, 1)}
    conv = net.weighted("conv", 0, SHAPE, (16, 3, 3, 16), "s16", zero_point=-100, relu=True, **around)
    window = net.weighted("depthwise", conv, SHAPE, (3, 3, 16), "s16", zero_point=5, **around)
    point = net.weighted("conv", window, SHAPE, (16, 1, 1, 16), "s16")
    pooled = net.activation((4, 4, 16), net.activations[point].scale[0] / 4)
    net.plain(
        "average_pool",
        (point,),
        pooled,
        kernel=(4, 4),
        stride=(4, 4),
        rescale=(quantize_multiplier(4 / 16),) * 16,
    )
    hidden = net.weighted("fully_connected", pooled, (64,), (64, 256), "s16", weight_step=LOUD, relu=True)
    net.weighted("fully_connected", hidden, (4,), (4, 64), "s16", y_scale=1 / 8192, out="s16")
    return net.program("kernels of a microcontroller")


def long_network() -> Program:
    """3x3 convolution of 32 channels on 7x7, then fully connected 1568 -> 8 -> 4: rows that are longer than what a
    device stages at once, and hardly any other memory."""
    net = NetworkBuilder(LONG_SHAPE)
    around = {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1, 1, 1)}
    conv = net.weighted("conv", 0, (4, 4, 98), (98, 3, 3, 32), "s16", zero_point=-100, relu=True, **around)
    hidden = net.weighted("fully_connected", conv, (8,), (8, 1568), "s16", relu=True)
    net.weighted("fully_connected", hidden, (4,), (4, 8), "s16", y_scale=1 / 8192, out="s16")
    return net.program("long rows of a microcontroller")
