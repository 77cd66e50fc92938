"""A recurrent network, small: a GRU over nine steps, an LSTM over its states from the last to the
first, a plain RNN over these, logits."""

import numpy as np
from small_network import NetworkBuilder, numbers

from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.operators.recurrent import GATE_SCALE, SHOWN_SCALE, STATE_SCALE
from stepforward.operators.table import BY_KIND
from stepforward.program.model import Op, Program

STEPS, CHANNELS, HIDDEN = 9, 6, 8
STEP_SHAPE = (1, STEPS, CHANNELS)


def step_network() -> Program:
    """A layer over all steps before each recurrent operator, whose inputs have 16 bits."""
    net = NetworkBuilder(STEP_SHAPE)
    states = _recurrent(net, 0, "gru", reset_after=False)
    states = _recurrent(net, states, "lstm", reverse=True)
    states = _recurrent(net, states, "rnn")
    net.weighted("fully_connected", states, (4,), (4, STEPS * HIDDEN), "s16", y_scale=1 / 8192, out="s16")
    return net.program("a recurrent network on a microcontroller")


def _recurrent(net: NetworkBuilder, x: int, kind: str, **fields) -> int:
    rows, inputs = BY_KIND[kind].gates * HIDDEN, net.activations[x].shape[-1]
    gates = net.weighted(
        *("conv", x, (1, STEPS, rows), (rows, 1, 1, inputs), "s16"), y_scale=GATE_SCALE, out="s16"
    )
    step, first = 1 / (36 * 120 * np.sqrt(HIDDEN)), len(net.parameters)
    q = numbers(300 + first, rows * HIDDEN).astype(np.int64) * 120
    weight = net.parameter(f"{kind}.weight", (rows, HIDDEN), "s16", (step,), q)
    bias_q = np.rint(numbers(301 + first, rows) / 36 * 0.2 / (step * STATE_SCALE)).astype(np.int64)
    bias = net.parameter(f"{kind}.bias", (rows,), "s32", (step * STATE_SCALE,), bias_q)
    y_scale = 1 / 120
    what = BY_KIND[kind](
        rescale=(quantize_multiplier(STATE_SCALE * step / GATE_SCALE),),
        output_rescale=quantize_multiplier(SHOWN_SCALE / y_scale),
        **fields,
    )
    y = net.activation((1, STEPS, HIDDEN), y_scale)
    net.ops.append(Op(kind, what, (gates,), y, weight, bias))
    return y
