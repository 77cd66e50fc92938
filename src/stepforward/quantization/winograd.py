"""Which convolutions hosts run in Winograd's tiles: their weights give up some of 16 bits for it."""


def suits_winograd(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    channels: int,
    rows: int,
    out: tuple[int, int],
) -> bool:
    """Whether kernels for hosts multiply this convolution in tiles (`sf_winograd_suits` in the core).

    Every level of kernels does, so a quantized file is the same on every machine.

    Args:
        kernel, stride, dilation: height and width.
        channels: inputs of one group.
        rows: outputs of one group.
        out: height and width of the output.

    >>> suits_winograd((3, 3), (1, 1), (1, 1), channels=16, rows=16, out=(32, 32))
    True
    >>> suits_winograd((3, 3), (1, 1), (1, 1), channels=16, rows=8, out=(32, 32))
    False
    """
    tiles = -(-out[0] // 2) * -(-out[1] // 2)
    return (
        (kernel, stride, dilation) == ((3, 3), (1, 1), (1, 1))
        and channels % 2 == 0
        and 8 <= channels <= 4096
        and rows > 8
        and 8 * tiles <= 3 * out[0] * out[1]
    )
