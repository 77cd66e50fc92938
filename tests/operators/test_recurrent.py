"""GRU, LSTM and RNN, by their definitions, against the real numbers they stand for."""

from dataclasses import replace

import numpy as np
import pytest

from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.arithmetic.gates import sigmoid, tanh
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.engines.reference import ReferenceEngine
from stepforward.operators.gru import Gru
from stepforward.operators.lstm import Lstm
from stepforward.operators.recurrent import OPEN_STATE
from stepforward.operators.rescale import Rescale
from stepforward.operators.rnn import Rnn
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor
from stepforward.program.weights import pack

EVERY = np.arange(-32768, 32768)


@pytest.mark.parametrize("fraction", range(7, 16))
def test_a_tangent_is_off_by_a_step_of_15_bits_and_little_more(fraction):
    assert np.abs(tanh(EVERY, fraction) / 2**15 - np.tanh(EVERY / 2**fraction)).max() < 1.6 * 2**-15


def test_a_sigmoid_is_off_by_a_step_of_15_bits_and_little_more():
    assert np.abs(sigmoid(EVERY, 12) / 2**15 - real_sigmoid(EVERY / 2**12)).max() < 1.3 * 2**-15


def real_sigmoid(x):
    return 1 / (1 + np.exp(-x))


def real_gru(x, weight, bias, reset_after):
    """(steps, samples, H) of x (steps, samples, 3H)."""
    hidden = weight.shape[1]
    h, found = np.zeros((x.shape[1], hidden)), []
    for now in x:
        z, r, c = np.split(now, 3, axis=1)
        a, b, d = np.split(h @ weight.T + bias, 3, axis=1)
        z, r = real_sigmoid(z + a), real_sigmoid(r + b)
        more = r * d if reset_after else (r * h) @ weight[2 * hidden :].T + bias[2 * hidden :]
        h = z * h + (1 - z) * np.tanh(c + more)
        found.append(h)
    return np.array(found)


def real_lstm(x, weight, bias):
    """(steps, samples, H) of x (steps, samples, 4H)."""
    h, cells, found = np.zeros((x.shape[1], weight.shape[1])), 0.0, []
    for now in x:
        i, o, f, c = np.split(now + h @ weight.T + bias, 4, axis=1)
        cells = real_sigmoid(f) * cells + real_sigmoid(i) * np.tanh(c)
        h = real_sigmoid(o) * np.tanh(cells)
        found.append(h)
    return np.array(found)


def real_rnn(x, weight, bias, relu=False):
    """(steps, samples, H) of x (steps, samples, H)."""
    h, found = np.zeros(x.shape[1:]), []
    for now in x:
        total = now + h @ weight.T + bias
        h = np.maximum(total, 0) if relu else np.tanh(total)
        found.append(h)
    return np.array(found)


@pytest.mark.parametrize("dtype", ["s8", "s16"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["after", "before", "lstm", "tanh"])
def test_sixty_steps_stay_close_to_real_numbers(kind, reverse, dtype):
    rng = np.random.default_rng(5)
    hidden, steps, gates = 32, 60, {"lstm": 4, "tanh": 1}.get(kind, 3)
    weight = rng.integers(-32767, 32768, (gates * hidden, hidden))
    scale_w, scale_y = 0.4 / 32767, 2.0**-7 if dtype == "s8" else 2.0**-15
    bias = rng.integers(-10000, 10001, gates * hidden)
    x = rng.integers(-8192, 8193, (6, steps, gates * hidden))
    pair = quantize_multiplier(2.0**-7 * scale_w * 2**12)
    what, own = {"lstm": (Lstm, {"cell": 2}), "tanh": (Rnn, {})}.get(
        kind, (Gru, {"reset_after": kind == "after"})
    )
    lo = -128 if dtype == "s8" else -32768
    what = what(
        rescale=(pair,),
        reverse=reverse,
        output_rescale=quantize_multiplier(2.0**-15 / scale_y),
        lo=lo,
        hi=-lo - 1,
        **own,
    )
    y = Tensor("y", (steps, hidden), dtype, (scale_y,))
    found = what.run([x], [Tensor("x", x.shape[1:], "s16", (2.0**-12,))], y, (weight, bias)) * scale_y
    real_x = (x / 2**12).swapaxes(0, 1)
    real_x = real_x[::-1] if reverse else real_x
    parameters = weight * scale_w, bias * scale_w / 2**7
    real = {"lstm": real_lstm, "tanh": real_rnn}.get(kind, real_gru)(
        real_x, *parameters, *([kind == "after"] if gates == 3 else [])
    )
    expected = (real[::-1] if reverse else real).swapaxes(0, 1)
    noise = 10 * np.log10((expected**2).mean() / ((found - expected) ** 2).mean())
    assert noise > (35 if dtype == "s8" else 45)
    late = ((found - expected) ** 2)[:, 0 if reverse else -1]
    assert late.mean() < 4 * ((found - expected) ** 2).mean()  # errors do not grow


@pytest.mark.parametrize("dtype", ["s8", "s16"])
@pytest.mark.parametrize("step", [2.0**-13, 0.003])
def test_states_of_a_relu_have_the_steps_of_what_is_read(step, dtype):
    rng = np.random.default_rng(5)
    hidden, steps = 32, 60
    weight, scale_w = rng.integers(-32767, 32768, (hidden, hidden)), 0.25 / 32767
    bias, x = rng.integers(-1000, 1001, hidden), rng.integers(-8192, 8193, (6, steps, hidden))
    scale_y = step * (256 if dtype == "s8" else 1)
    lo = -128 if dtype == "s8" else -32768
    what = Rnn(
        relu=True,
        rescale=(quantize_multiplier(OPEN_STATE * scale_w),),
        output_rescale=quantize_multiplier(step / scale_y),
        lo=lo,
        hi=-lo - 1,
    )
    y = Tensor("y", (steps, hidden), dtype, (scale_y,))
    found = what.run([x], [Tensor("x", x.shape[1:], "s16", (step,))], y, (weight, bias)) * scale_y
    parameters = weight * scale_w, bias * scale_w * OPEN_STATE * step
    expected = real_rnn((x * step).swapaxes(0, 1), *parameters, relu=True).swapaxes(0, 1)
    assert 10000 * step < expected.max() < 32767 * step
    noise = 10 * np.log10((expected**2).mean() / ((found - expected) ** 2).mean())
    assert noise > (30 if dtype == "s8" else 35)


def test_long_rows_of_extreme_weights_are_summed_exactly():
    """More columns than a block of 32-bit sums has; odd ones are not taken four rows at a time."""
    for hidden in (300, 301):
        rows = 3 * hidden
        weight = Tensor("w", (rows, hidden), "s16", (1e-5,), 0, 0)
        content = pack(weight, np.full((rows, hidden), -32767))
        content += bytes(-len(content) % 4)
        bias = Tensor("b", (rows,), "s32", (1e-7,), 0, len(content))
        tensors = (
            *(weight, replace(bias, offset=len(content))),
            Tensor("x", (4, rows), "s8", (0.1,), 0, -1),
            Tensor("wide", (4, rows), "s16", (2.0**-12,)),
            Tensor("y", (4, hidden), "s16", (2.0**-15,)),
        )
        wide = Op("wide", Rescale(rescale=((65535, 8),), lo=-32768, hi=32767), (2,), 3)
        gru = Gru(rescale=((40000, 33),), output_rescale=(1, 0), lo=-32768, hi=32767)
        blob = content + pack(bias, np.full(rows, 2**31 - 1))
        program = plan_arena(Program(tensors, (wide, Op("layer", gru, (3,), 4, 0, 1)), 2, 4, 2, blob))
        x = np.random.default_rng(hidden).integers(-128, 128, (3, 4, rows)).astype(np.int8)
        expected = logits_of(ReferenceEngine(program), x)
        assert np.array_equal(logits_of(CoreEngine(program), x), expected)
        assert np.array_equal(logits_of(CoreEngine(program, threads=1, memory="small"), x), expected)
