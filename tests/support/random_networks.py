"""Small random networks with a training run each, by number: the same number gives the same bits everywhere.

What decides how a host packs and multiplies (format, kind of layer, number of rows, memory, shared batch, threads) is
counted through, so that any `CYCLE` successive numbers hold every combination; the rest is drawn.
"""

import math
import os
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from loss_scale import loss_scale
from plain import plain

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import PLAIN, Batch, logits_of
from stepforward.methods.qzo_ff import qzo_ff
from stepforward.network.network import Q_MAX
from stepforward.operators.table import BY_KIND, JOINS
from stepforward.plan.make import plan_training
from stepforward.plan.model import TrainingPlan
from stepforward.program.arena import plan_arena
from stepforward.program.model import Op, Program, Tensor
from stepforward.program.weights import pack

FORMATS = ("s16", "s8", "s4")
KINDS = ("conv 3x3", "conv", "pointwise", "depthwise", "fully_connected")
ROWS = ((1, 8), (9, 16), (17, 40), (41, 100))
BETWEEN = ("none", "none", "add", "max_pool", "average_pool", "concat", "reshape", "transpose", "pad")
MEMORIES = ("fast", "small", "device")
CHOICES = (FORMATS, KINDS, ROWS, MEMORIES, (False, True), (1, 3))
CYCLE = math.prod(map(len, CHOICES))
STEPS = 2
THIRD = int(os.environ["THIRD"]) if "THIRD" in os.environ else None
"""0, 1 or 2 where a level of kernels below this machine's best is tested (`conformance` in the core's Makefile)."""
S8, S16 = (-128, 127), (-32768, 32767)


class Case(NamedTuple):
    """A network, how it is trained, and how a host runs it."""

    number: int
    program: Program
    plan: TrainingPlan
    x: np.ndarray
    y: np.ndarray
    memory: str
    threads: int
    block: int | None

    def core(self, program=None) -> CoreEngine:
        """The C core for this case; a device's way is the host's with four rows at a time."""
        memory = "small" if self.memory == "device" else self.memory
        block = 1 if self.memory == "device" else self.block
        engine = CoreEngine(program or self.program, self.plan, self.threads, block, memory)
        if self.memory == "device":
            engine._row_tile = 4
        return engine


def chosen(number: int) -> list:
    """What case `number` has of each of `CHOICES`."""
    return [options[index] for options, index in zip(CHOICES, _indices(number), strict=True)]


def _indices(number: int) -> list[int]:
    found = []
    for options in CHOICES:
        number, index = divmod(number, len(options))
        found.append(index)
    return found


def is_of_this_level(number: int) -> bool:
    """Whether the core that is tested takes case `number`: all of them, or one third. Every third has every two choices
    together, and the three have all.
    """
    return THIRD is None or sum(_indices(number)) % 3 == THIRD


def examples(count: int) -> int:
    """So many random examples of a test, or a third of them."""
    return count if THIRD is None else count // 3


def random_case(number: int) -> Case:
    """Case `number` >= 0."""
    rng = np.random.default_rng(number)
    dtype, kind, rows, memory, share, threads = chosen(number)
    program = _network(rng, dtype, kind, int(rng.integers(rows[0], rows[1] + 1)))
    program, plan = _plan(rng, program, share)
    n = int(rng.integers(1, 8))
    classes = program.tensors[program.output].elements
    x, y = samples(rng, program, n), rng.integers(0, classes, n).astype(np.int32)
    return Case(
        number, program, plan, x, y, memory, threads, int(rng.integers(1, 4)) if rng.random() < 0.5 else None
    )


def run(case: Case, engine) -> list[int]:
    """Every integer that training and looking at a case gives: losses, votes, weights as bytes, momentum included
    through them, logits before and after."""
    batch = Batch.of(case.x, case.y)
    numbers = [*logits_of(engine, case.x).ravel().tolist(), *engine.losses(0, batch, [PLAIN])]
    m, share = case.plan.directions, case.plan.share_batch
    for step in qzo_ff(engine, lambda _: batch, range(STEPS), m, share):
        numbers += [*step.losses, *step.votes]
    return numbers + list(engine.snapshot().weights) + logits_of(engine, case.x).ravel().tolist()


def samples(rng, program, n):
    """n inputs, extreme values more often than by chance."""
    shape = (n, *program.tensors[program.input].shape)
    x = rng.integers(-128, 128, shape)
    return np.where(rng.random(shape) < 0.2, rng.choice([-128, 127], shape), x).astype(np.int8)


def _plan(rng, program, share):
    settings = plain(
        steps=int(rng.integers(STEPS, 20)),
        epsilon=float(rng.choice([1e-3, 0.02, 0.3])),
        lr=float(rng.choice([1e-3, 0.05, 0.5])),
        directions=int(rng.integers(1, 4)),
        seed=int(rng.integers(0, 2**63)),
        momentum=float(rng.choice([0, 0, 0.9])),
        distribution=str(rng.choice(["normal", "normal", "rademacher", "binomial"])),
        perturbation=str(rng.choice(["exact", "exact", "exact", "paper"])),
        rounding=str(rng.choice(["nearest", "floor", "stochastic"])),
        schedule=str(rng.choice(["constant", "linear", "cosine"])),
        share_batch=share,
        temperature=1.0,
    )
    count = program.parameter_count
    some = np.flatnonzero(rng.random(count) < 0.5).tolist() or [count - 1]
    moving = [range(count), range(count), range(count - 2, count), range(1, count, 2), some][rng.integers(5)]
    plan = plan_training(program, moving, settings)
    return plan_arena(program, plan.first_op), plan


def _network(rng, dtype, kind, rows):
    """A layer in front, perhaps; the layer that is meant; what may follow it; perhaps a layer at the end."""
    net = Builder(rng)
    height, width = int(rng.integers(3, 8)), int(rng.choice([3, 4, 5, 7, 9, 12, 19]))
    channels = rows if kind == "depthwise" else int(rng.choice([1, 2, 3, 8, 10, 16, 30]))
    front = rng.random() < 0.4
    at = net.input((height, width, int(rng.integers(1, 4)) if front else channels))
    if front:
        at = net.conv(at, dtype, channels, kernel=(1, 1))
    if kind == "conv 3x3":
        at = net.conv(at, dtype, rows, (3, 3), padding=tuple(rng.integers(0, 2, 4).tolist()))
    elif kind == "conv":
        at = net.any_conv(at, dtype, rows)
    elif kind == "pointwise":
        at = net.conv(at, dtype, rows, (1, 1))
    elif kind == "depthwise":
        at = net.depthwise(at, dtype)
    else:
        at = net.dense(at, dtype, rows, last=rng.random() < 0.5)
    if net.tensors[at].dtype == "s8":
        at = net.between(at)
        if rng.random() < 0.6 and net.elements(at) <= 2000:
            at = net.dense(at, dtype, int(rng.integers(2, 12)), last=True)
    return net.program(at)


class Builder:
    """Tensors, operators and weights of a network that grows at its end. Activations have negative numbers until the
    parameters are counted."""

    def __init__(self, rng):
        self.rng, self.ops, self.parameters, self.blob = rng, [], [], b""
        self.tensors: list[Tensor] = []

    def elements(self, at):
        return self.tensors[at].elements

    def input(self, shape):
        return self.add(shape, offset=-1)

    def add(self, shape, dtype="s8", like=None, offset=0):
        lo, hi = S16 if dtype == "s16" else S8
        zero = int(self.rng.choice([0, lo, hi, -3, 17])) if like is None else like.zero_point
        self.tensors.append(Tensor(f"a{len(self.tensors)}", shape, dtype, (0.02,), zero, offset=offset))
        return len(self.tensors) - 1

    def parameter(self, name, shape, dtype, scale, rule, values):
        offset = len(self.blob)
        one = ("one", 1) if len(scale) == 1 else rule
        tensor = Tensor(f"{name}{len(self.parameters)}", shape, dtype, scale, 0, offset, *one)
        self.blob += pack(tensor, values)
        self.blob += bytes(-len(self.blob) % 4)
        self.parameters.append(tensor)
        return len(self.parameters) - 1

    def weights(self, shape, rows, dtype, rule, length):
        """Weight and bias of a layer, and its rescale. Some weights are small enough for Winograd's tiles, some rows
        are not."""
        rng, q_max = self.rng, Q_MAX[dtype]
        largest = int(rng.choice([q_max, q_max // 3, max(1, q_max // 10)]))
        values = (
            rng.choice([-largest, largest], shape)
            if rng.random() < 0.2
            else rng.integers(-largest, largest + 1, shape)
        )
        if rng.random() < 0.3 and len(shape) == 4:
            row = rng.integers(0, rows)
            values[row] = rng.integers(-q_max, q_max + 1, values[row].shape)
        scale = tuple(0.5 / q_max * (1 + 0.1 * (i % 9)) for i in range(rows if rng.random() < 0.4 else 1))
        weight = self.parameter("w", shape, dtype, scale, rule, values)
        wide = int(rng.choice([1000, 10**5, 10**7, 2**31 - 1], p=[0.4, 0.3, 0.2, 0.1]))
        bias_scale = tuple(0.02 * s for s in scale)
        bias = self.parameter(
            "b", (rows,), "s32", bias_scale, ("divide", 1), rng.integers(-wide, wide + 1, rows)
        )
        center = 16 + max(1, round(math.log2(largest * 60 * math.sqrt(length) / 40)))
        return {"weight": weight, "bias": bias, "rescale": self.pairs(int(rng.choice([1, rows])), center)}

    def pairs(self, count, center):
        near = self.rng.random() < 0.85
        shifts = self.rng.integers(center - 2, center + 3, count) if near else self.rng.integers(0, 48, count)
        return tuple((int(self.rng.integers(32768, 65536)), int(min(max(s, 0), 47))) for s in shifts)

    def clip(self, dtype):
        lo, hi = S16 if dtype == "s16" else S8
        if self.rng.random() < 0.5:
            return {"lo": lo, "hi": hi}
        a, b = sorted(self.rng.integers(lo, hi + 1, 2).tolist())
        return {"lo": a, "hi": b}

    def op(self, kind, inputs, output, **fields):
        self.ops.append((kind, tuple(inputs), output, fields))
        return output

    def conv(self, at, dtype, rows, kernel, groups=1, stride=(1, 1), dilation=(1, 1), padding=(0, 0, 0, 0)):
        height, width, channels = self.tensors[at].shape
        grown, sizes = list(padding), (height, width)
        span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        for axis in range(2):
            grown[axis] += max(0, span[axis] - sizes[axis] - padding[axis] - padding[axis + 2])
        out = [(sizes[i] + grown[i] + grown[i + 2] - span[i]) // stride[i] + 1 for i in range(2)]
        length = math.prod(kernel) * channels // groups
        shape = (rows, *kernel, channels // groups)
        fields = self.weights(shape, rows, dtype, ("divide", length), length)
        fields |= {
            "kernel": kernel,
            "stride": stride,
            "dilation": dilation,
            "padding": tuple(grown),
            "groups": groups,
        }
        return self.op("conv", [at], self.add((*out, rows)), **fields, **self.clip("s8"))

    def any_conv(self, at, dtype, rows):
        rng, channels = self.rng, self.tensors[at].shape[2]
        groups = int(rng.choice([g for g in (1, 1, 2, 3) if channels % g == 0]))
        return self.conv(
            *(at, dtype, -(-rows // groups) * groups, tuple(rng.integers(1, 5, 2).tolist()), groups),
            *(tuple(rng.integers(1, 4, 2).tolist()), tuple(rng.choice([1, 1, 2], 2).tolist())),
            padding=tuple(rng.integers(0, 3, 4).tolist()),
        )

    def depthwise(self, at, dtype):
        rng, (height, width, channels) = self.rng, self.tensors[at].shape
        kernel, stride = tuple(rng.integers(1, 4, 2).tolist()), tuple(rng.integers(1, 3, 2).tolist())
        padding, dilation = rng.integers(0, 3, 4).tolist(), tuple(rng.choice([1, 1, 1, 2], 2).tolist())
        span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        sizes = (height, width)
        for axis in range(2):
            padding[axis] += max(0, span[axis] - sizes[axis] - padding[axis] - padding[axis + 2])
        out = [(sizes[i] + padding[i] + padding[i + 2] - span[i]) // stride[i] + 1 for i in range(2)]
        shape = (*kernel, channels)
        fields = self.weights(shape, channels, dtype, ("modulo", channels), math.prod(kernel))
        fields |= {"kernel": kernel, "stride": stride, "padding": tuple(padding), "dilation": dilation}
        return self.op("depthwise", [at], self.add((*out, channels)), **fields, **self.clip("s8"))

    def dense(self, at, dtype, rows, last):
        length, out = self.elements(at), "s16" if last and self.rng.random() < 0.6 else "s8"
        fields = self.weights((rows, length), rows, dtype, ("divide", length), length)
        return self.op("fully_connected", [at], self.add((rows,), out), **fields, **self.clip(out))

    def recurrent(self, at, kind):
        """A layer that reads the input for each of its gates, as s16, and gives a tensor of the input's shape."""
        x = self.tensors[at]
        hidden, rows = x.shape[-1], kind.gates * x.shape[-1]
        shape, whole = (*x.shape[:-1], rows), {"lo": S16[0], "hi": S16[1]}
        pairs = {"rescale": self.pairs(kind.gates, 15), "axis": len(shape) - 1}
        many = self.op("concat", [at] * kind.gates, self.add(shape), **pairs)
        zero = replace(x, zero_point=0)
        wide = self.op("rescale", [many], self.add(shape, "s16", zero), rescale=self.pairs(1, 8), **whole)
        fields = self.weights((rows, hidden), rows, "s16", ("divide", hidden), hidden)
        fields |= {"output_rescale": (32768, 23), "reverse": bool(self.rng.integers(2)), **self.clip("s8")}
        return self.op(kind.kind, [wide], self.add(x.shape), **fields)

    def between(self, at, kind=None):
        """Nothing, or an operator without weights."""
        rng, x = self.rng, self.tensors[at]
        kind = rng.choice(BETWEEN) if kind is None else kind
        joins = {join.kind: join for join in JOINS.values()}
        if kind in joins:
            copy = self.op("rescale", [at], self.add(x.shape), rescale=self.pairs(1, 15))
            pairs = self.pairs(len(joins[kind].multipliers(1.0, 1.0, 1.0)), 16)
            rescale = tuple((mult, pairs[0][1]) for mult, _ in pairs)
            return self.op(kind, [at, copy], self.add(x.shape), rescale=rescale, **self.clip("s8"))
        if kind == "concat":
            shape = (*x.shape[:-1], 2 * x.shape[-1])
            pairs = {"rescale": self.pairs(2, 15), "axis": len(shape) - 1}
            return self.op("concat", [at, at], self.add(shape), **pairs, **self.clip("s8"))
        if kind == "lookup":
            entries = rng.integers(-128, 128, 256).tolist()
            return self.op("lookup", [at], self.add(x.shape), tables=tuple(entries))
        if kind == "softmax":
            fields = {"rescale": self.pairs(1, 4), "bits": 8, **self.clip("s8")}
            return self.op("softmax", [at], self.add(x.shape), **fields)
        if kind == "layer_norm":
            channels = x.shape[-1]
            fields = self.weights((channels,), channels, "s16", ("divide", 1), 1)
            fields |= {"fraction": 12, "epsilon": (0, 9), **self.clip("s8")}
            return self.op("layer_norm", [at], self.add(x.shape), **fields)
        if kind == "matmul":
            fields = {"rescale": self.pairs(1, 20), "transposed": True, **self.clip("s8")}
            return self.op("matmul", [at, at], self.add((*x.shape[:-1], x.shape[-2])), **fields)
        if kind in ("gru", "lstm", "rnn"):
            return self.recurrent(at, BY_KIND[kind])
        if kind == "reshape":
            return self.op("reshape", [at], self.add((x.elements,), like=x))
        if len(x.shape) != 3:
            return at
        if kind in ("max_pool", "average_pool"):
            kernel = tuple(min(int(rng.integers(1, 4)), size) for size in x.shape[:2])
            out = tuple((size - k) // 2 + 1 for size, k in zip(x.shape[:2], kernel, strict=True))
            fields = {"kernel": kernel, "stride": (2, 2), **self.clip("s8")}
            if kind == "average_pool":
                taps = int(rng.choice([1, kernel[0] * kernel[1]]))
                fields["rescale"] = self.pairs(taps, 17)
            return self.op(kind, [at], self.add((*out, x.shape[2]), like=x), **fields)
        if kind == "transpose":
            order = tuple(int(i) for i in rng.permutation(3))
            return self.op(
                "transpose", [at], self.add(tuple(x.shape[i] for i in order), like=x), permutation=order
            )
        if kind == "pad":
            top, left, bottom, right = rng.integers(0, 2, 4).tolist()
            shape = (x.shape[0] + top + bottom, x.shape[1] + left + right, x.shape[2])
            fields = {
                "padding": (top, left, bottom, right),
                "value": int(rng.integers(-128, 128)),
            }
            return self.op("pad", [at], self.add(shape, like=x), **fields)
        return at

    def _op(self, name, kind, inputs, output, weight=-1, bias=-1, **attributes):
        return Op(name, BY_KIND[kind](**attributes), inputs, output, weight, bias)

    def program(self, output):
        count = len(self.parameters)
        ops = tuple(
            self._op(f"op{i}", kind, tuple(count + j for j in inputs), count + out, **fields)
            for i, (kind, inputs, out, fields) in enumerate(self.ops)
        )
        scale = loss_scale(int(self.rng.integers(30000, 65536)), int(self.rng.integers(0, 21)))
        self.tensors[output] = replace(self.tensors[output], scale=(scale,))
        return Program((*self.parameters, *self.tensors), ops, count, count + output, count, self.blob)
