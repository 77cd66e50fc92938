"""A block of a transformer, small: attention of two heads over twelve tokens, a layer norm, a table."""

import numpy as np
from small_network import NetworkBuilder, numbers

from stepforward.arithmetic.fixedpoint import add_multipliers, quantize_multiplier
from stepforward.arithmetic.loss import loss_rescale
from stepforward.operators.layer_norm import deviation_scale, epsilon_words, fraction_bits
from stepforward.operators.lookup import entries
from stepforward.program.model import Op, Program

TOKENS, WIDTH, HEADS = 12, 8, 2
TOKEN_SHAPE = (1, TOKENS, WIDTH)
WIDE = {"lo": -32768, "hi": 32767}


def token_network() -> Program:
    """q, k and v, products of them with softmax in between, a sum of 16 bits, layer norm, logits."""
    net = NetworkBuilder(TOKEN_SHAPE)
    q, k, v = (_heads(net, _layer(net, 0), order) for order in ((1, 0, 2), (1, 0, 2), (1, 2, 0)))
    a, b = (net.activations[at].scale[0] for at in (q, k))
    scores = net.activation((HEADS, TOKENS, TOKENS), 0.05)
    net.plain("matmul", (q, k), scores, transposed=True, rescale=(quantize_multiplier(a * b / 0.05),))
    shares = net.activation((HEADS, TOKENS, TOKENS), 2.0**-15, dtype="s16")
    net.plain("softmax", (scores,), shares, bits=15, rescale=(loss_rescale(0.05),), **WIDE)
    heads = net.activation((HEADS, TOKENS, WIDTH // HEADS), 1 / 60)
    pair = quantize_multiplier(2.0**-15 * net.activations[v].scale[0] * 60)
    net.plain("matmul", (shares, v), heads, transposed=True, rescale=(pair,))
    back = net.activation((TOKENS, HEADS, WIDTH // HEADS), 1 / 60)
    net.plain("transpose", (heads,), back, permutation=(1, 0, 2))
    joined = net.plain("reshape", (back,), net.activation(TOKEN_SHAPE, 1 / 60))
    branch = _layer(net, joined)
    total = net.activation(TOKEN_SHAPE, 1e-3, dtype="s16")
    ratios = (net.activations[at].scale[0] / 1e-3 for at in (0, branch))
    net.plain("add", (0, branch), total, rescale=add_multipliers(*ratios), **WIDE)
    normed = _norm(net, total)
    bent = net.activation(TOKEN_SHAPE, 1 / 60, -50)
    steps = np.arange(-128, 128) * net.activations[normed].scale[0]
    net.plain("lookup", (normed,), bent, tables=entries(steps / (1 + np.exp(-steps)), 1 / 60, -50))
    net.weighted("fully_connected", bent, (4,), (4, TOKENS * WIDTH), "s16", y_scale=1 / 8192, out="s16")
    return net.program("a transformer's block on a microcontroller")


def _layer(net: NetworkBuilder, x: int) -> int:
    return net.weighted("conv", x, TOKEN_SHAPE, (WIDTH, 1, 1, WIDTH), "s16")


def _heads(net: NetworkBuilder, x: int, order: tuple[int, ...]) -> int:
    shape, scale = (TOKENS, HEADS, WIDTH // HEADS), net.activations[x].scale[0]
    split = net.plain("reshape", (x,), net.activation(shape, scale))
    turned = net.activation([shape[axis] for axis in order], scale)
    return net.plain("transpose", (split,), turned, permutation=order)


def _norm(net: NetworkBuilder, x: int) -> int:
    """A layer norm whose weights are around 1."""
    step, y_scale = 1 / 2000, 1 / 40
    q = 2000 + np.rint(numbers(300, WIDTH) * 6).astype(np.int64)
    weight = net.parameter("norm.weight", (WIDTH,), "s16", (step,), q)
    bias_scale = step * deviation_scale(WIDTH)
    bias_q = np.rint(numbers(301, WIDTH) / 36 * 0.2 / bias_scale).astype(np.int64)
    bias = net.parameter("norm.bias", (WIDTH,), "s32", (bias_scale,), bias_q)
    y = net.activation(TOKEN_SHAPE, y_scale)
    fields = {
        "fraction": fraction_bits(WIDTH),
        "epsilon": epsilon_words(1e-5, WIDTH, net.activations[x].scale[0]),
    }
    net.plain("layer_norm", (x,), y, rescale=(quantize_multiplier(bias_scale / y_scale),), **fields)
    op = net.ops[-1]
    net.ops[-1] = Op(op.name, op.what, op.inputs, op.output, weight, bias)
    return y
