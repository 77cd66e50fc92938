"""Write docs/support.md: what is supported, asked of the code itself.

Which bits and roundings an operator has is asked of the core: it opens small programs, or refuses them. What a float
operator becomes is seen by lowering a network of it.

    python tools/make_support.py
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnx_ir as ir

from stepforward.arithmetic.rounding import NAMES, in_range
from stepforward.engines.core import open_program
from stepforward.errors import StepforwardError
from stepforward.graph.functions import FUNCTIONS
from stepforward.lowering.lower import lower
from stepforward.network.network import Network
from stepforward.network.runtimes import RUNTIMES
from stepforward.operators.operator import Operator
from stepforward.operators.rescale import Rescale
from stepforward.operators.table import OPERATORS
from stepforward.program.arena import plan_arena
from stepforward.program.model import BITS, Op, Program, Tensor
from stepforward.program.weights import pack
from stepforward.quantization.formats import METHODS, WEIGHT_BITS, QuantizationSettings
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.support import CANONICAL, REFUSED, REWRITTEN
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize
from stepforward.sources.tflite.read import NODES
from stepforward.sources.tflite.to_onnx.table import TABLE

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "support.md"
PAIRS = ((1, 0), (1 << 30, 32), (1 << 23, 23))
"""Pairs (mult, shift), of which each rounding has one."""


class Sample(NamedTuple):
    """An operator by itself: all its inputs have one shape.

    Attributes:
        attributes: besides those that every operator has.
        inputs: how many.
        shape, output: of the inputs and of the output.
        weight: stored shape, of an operator that has weights; the last attribute counts its outputs.
        outputs: rows of the weight.
    """

    attributes: dict
    inputs: int = 1
    shape: tuple[int, ...] = (2, 2, 4)
    output: tuple[int, ...] = (2, 2, 4)
    weight: tuple[int, ...] = ()
    outputs: int = 0


SAMPLES = {
    "conv": Sample({}, weight=(4, 1, 1, 4), outputs=4),
    "depthwise": Sample({}, weight=(1, 1, 4), outputs=4),
    "fully_connected": Sample({}, shape=(4,), output=(3,), weight=(3, 4), outputs=3),
    "add": Sample({}, inputs=2),
    "rescale": Sample({}),
    "max_pool": Sample({}),
    "average_pool": Sample({}),
    "pad": Sample({}),
    "concat": Sample({"axis": 2}, inputs=2, output=(2, 2, 8)),
    "transpose": Sample({"permutation": (0, 1, 2)}),
    "reshape": Sample({}, output=(16,)),
    "multiply": Sample({}, inputs=2),
    "lookup": Sample({}),
    "layer_norm": Sample({}, shape=(2, 4), output=(2, 4), weight=(4,), outputs=4),
    "softmax": Sample({}),
    "matmul": Sample({}, inputs=2, shape=(1, 4, 4), output=(1, 4, 4)),
    "gru": Sample({}, shape=(1, 6), output=(1, 2), weight=(6, 2), outputs=6),
    "lstm": Sample({}, shape=(1, 8), output=(1, 2), weight=(8, 2), outputs=8),
    "rnn": Sample({}, shape=(1, 2), output=(1, 2), weight=(2, 2), outputs=2),
}
"""By kind. A new operator gets its line here."""

GRAPHS = {
    "Conv": "a = Conv<kernel_shape=[3,3]>(x, k, b) f = Flatten(a) y = Gemm<transB=1>(f, w32, c)",
    "Conv, depthwise": "a = Conv<kernel_shape=[3,3], group=2>(x, d, b) f = Flatten(a) y = Gemm<transB=1>(f, w32, c)",
    "Gemm": "f = Flatten(x) y = Gemm<transB=1>(f, w72, c)",
    "MaxPool": "a = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) f = Flatten(a) y = Gemm<transB=1>(f, w18, c)",
    "AveragePool": "a = AveragePool<kernel_shape=[2,2], strides=[2,2]>(x) f = Flatten(a) y = Gemm<transB=1>(f, w18, c)",
    "GlobalAveragePool": "a = GlobalAveragePool(x) f = Flatten(a) y = Gemm<transB=1>(f, w2, c)",
    "Pad": "a = Pad(x, pads) m = MaxPool<kernel_shape=[2,2], strides=[2,2]>(a) f = Flatten(m) "
    "y = Gemm<transB=1>(f, w32, c)",
    "Concat": "m = MaxPool<kernel_shape=[1,1]>(x) a = Concat<axis=1>(x, m) f = Flatten(a) "
    "y = Gemm<transB=1>(f, w144, c)",
    "Reshape": "a = Reshape(x, to) f = Flatten(a) y = Gemm<transB=1>(f, w72, c)",
    "Flatten": "f = Flatten(x) y = Gemm<transB=1>(f, w72, c)",
    "Transpose": "a = Transpose<perm=[0,1,3,2]>(x) f = Flatten(a) y = Gemm<transB=1>(f, w72, c)",
    "LayerNormalization": "a = LayerNormalization(x, six, six) f = Flatten(a) y = Gemm<transB=1>(f, w72, c)",
    "Softmax": "a = Softmax(x) f = Flatten(a) y = Gemm<transB=1>(f, w72, c)",
    "Softmax, of a constant mask": "m = Where(seen, x, low) a = Softmax(m) f = Flatten(a) "
    "y = Gemm<transB=1>(f, w72, c)",
    "MatMul": "t = Relu(x) a = MatMul(x, t) f = Flatten(a) y = Gemm<transB=1>(f, w72, c)",
    "Add": "m = MaxPool<kernel_shape=[1,1]>(x) t = Relu(m) a = Add(x, t) f = Flatten(a) y = Gemm<transB=1>(f, w72, c)",
    "Mul": "m = MaxPool<kernel_shape=[1,1]>(x) t = Relu(m) a = Mul(x, t) f = Flatten(a) y = Gemm<transB=1>(f, w72, c)",
    "Clip, Relu by itself": "a = Relu(x) f = Flatten(a) y = Gemm<transB=1>(f, w72, c)",
    "GRU": "r = Reshape(x, to) t = Transpose<perm=[1,0,2]>(r) a, h = GRU<hidden_size=2>(t, wg, rg) "
    "f = Squeeze(h, none) y = Gemm<transB=1>(f, w2, c)",
    "LSTM": "r = Reshape(x, to) t = Transpose<perm=[1,0,2]>(r) a, h = LSTM<hidden_size=2>(t, wl, rl) "
    "f = Squeeze(h, none) y = Gemm<transB=1>(f, w2, c)",
    "RNN": "r = Reshape(x, to) t = Transpose<perm=[1,0,2]>(r) a, h = RNN<hidden_size=2>(t, wr, rr) "
    "f = Squeeze(h, none) y = Gemm<transB=1>(f, w2, c)",
    "Lookup": "a = Sigmoid(x) f = Flatten(a) y = Gemm<transB=1>(f, w72, c)",
}
"""A network of every node that a network in fixed point has, in float ONNX over (N, 2, 6, 6)."""


TEXT = """# What is supported

Written by `python tools/make_support.py`, which asks the code: the core opens a small program of every operator in
every format, or refuses it; what a float operator becomes is seen by lowering a network of it. How operators may be
used, and what else a model may hold: [architecture](architecture.md#supported-networks). `stepforward check MODEL`
says it of one file.

## Operators of a program

What every integer engine computes, to the same bits: the definition in NumPy, the C core on hosts, and its loop for
devices ([contract](arithmetic.md#4-operators)). *Reads*: the bits of each activation it reads. *Roundings*: the
contract's, and those of [other runtimes](#runtimes). *Packed*: hosts lay its rows of weights out for kernels of AVX2,
AVX-512, AMX and NEON; the others have loops.

{operators}

`quantize` gives weights {weight_bits} bits, ranges by {methods}, and activations 8 bits, but for
[those that gain from 16](tutorial.md#3-quantize-look-measure). Int8 TensorFlow Lite files have 8 and 8.

## Where they come from

A float ONNX file, or a torch module through its exporter, is brought to the nodes of the first column; a QDQ file
that `quantize` wrote has them. *Backprop*: the float baseline in torch has it.

{origins}

A float TensorFlow Lite file becomes a float ONNX graph, and comes back as a QDQ ONNX file, since it has no integers to
keep. Its operators may be {float_tflite}.

A Lookup is one of these functions of one value, or any that is made of them: {functions}.

Rewritten into the nodes above, where their operands allow it: {rewritten}.

Refused by the name of the node, or where they cannot be rewritten, each with what to do:

{refused}

## Runtimes

What `--runtime` of an int8 file of another tool names: its program computes the integers of that runtime.

{runtimes}
"""


def page() -> str:
    """docs/support.md."""
    columns = ("operator", "code", "reads, bits", "weights, bits", "writes, bits", "roundings", "packed")
    rounding = ("name", "what", "rounding of products", "of fully connected layers")
    runtimes = ((f"`{name}`", r.what, r.products, r.fully_connected) for name, r in RUNTIMES.items())
    refused = ((_list(sorted(operators)), remedy) for remedy, operators in REFUSED.items())
    return TEXT.format(
        operators=_table(columns, (_of_operator(code, kind) for code, kind in enumerate(OPERATORS, 1))),
        weight_bits=_list(WEIGHT_BITS, "or"),
        methods=_list([f"`{name}`" for name in METHODS], "or"),
        origins=_table(
            ("float ONNX, QDQ", "int8 TensorFlow Lite", "operators of the program", "backprop"), _origins()
        ),
        float_tflite=_list(sorted(TABLE)),
        functions=_list(sorted(FUNCTIONS)),
        rewritten=_list(sorted(REWRITTEN)),
        refused=_table(("operators", "what to do"), refused),
        runtimes=_table(rounding, runtimes),
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (columns, ["---"] * len(columns), *rows)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _list(values: Iterable[object], word: str = "and") -> str:
    *first, last = (str(value) for value in values)
    return f"{', '.join(first)} {word} {last}" if first else last


def _of_operator(code: int, kind: type[Operator]) -> tuple[str, ...]:
    sample, bits = SAMPLES[kind.kind], ("s8", "s16")
    plain = first_formats(kind)
    given = [
        [dtype for dtype in bits if any(_opens(kind, _at(plain, place, dtype), y) for y in bits)]
        for place in range(sample.inputs)
    ]
    weights = [w for w in ("s16", "s8", "s4") if kind.parametric and _opens(kind, plain, "s8", w)]
    writes = [y for y in bits if any(_opens(kind, _at(plain, 0, x), y) for x in bits)]
    roundings = [name for number, name in enumerate(NAMES) if _opens(kind, plain, "s8", rounding=number)]
    rounds = not _opens(kind, plain, "s8", pairs=(0,))
    reads = [_bits(dtypes) for dtypes in given]
    return (
        f"`{kind.kind}`",
        str(code),
        reads[0] if len(set(reads)) == 1 else "; ".join(reads),
        _bits(weights) or "–",
        _bits(writes),
        ", ".join(roundings) if rounds else "–",
        "yes" if kind.kind in _packed() else "",
    )


def first_formats(kind: type[Operator]) -> tuple[str, ...]:
    """The formats of its inputs that an operator takes, those of 8 bits first."""
    ways = itertools.product(("s8", "s16"), repeat=SAMPLES[kind.kind].inputs)
    return next(reads for reads in ways if _opens(kind, reads, "s8"))


def _at(reads: tuple[str, ...], place: int, dtype: str) -> tuple[str, ...]:
    return tuple(dtype if i == place else other for i, other in enumerate(reads))


def _bits(dtypes) -> str:
    return ", ".join(str(BITS[dtype]) for dtype in dtypes)


def _packed() -> set[str]:
    """Operators whose rows the core packs, by its own table."""
    folder = ROOT / "src" / "stepforward" / "core" / "operators"
    pattern = re.compile(r"const sfi_operator sfi_(\w+) = \{check, \w+, run, PACKABLE")
    return {match[1] for file in folder.glob("*.c") for match in pattern.finditer(file.read_text())}


def _opens(
    kind: type[Operator],
    reads: tuple[str, ...],
    y: str,
    weight: str = "s16",
    rounding: int = 0,
    pairs: Sequence[int] = (1, 0, 2, 3),
) -> bool:
    """Whether the core opens the sample, with one of so many pairs."""
    for count in pairs:
        try:
            open_program(_program(kind, reads, y, weight, rounding, count))
        except StepforwardError:
            continue
        return True
    return False


def _program(
    kind: type[Operator], reads: tuple[str, ...], y: str, weight: str, rounding: int, pairs: int
) -> Program:
    """The sample of an operator; a rescale gives each of its inputs the bits that are asked for."""
    sample = SAMPLES[kind.kind]
    parameters, content = [], b""
    if kind.parametric:
        for name, shape, dtype in (("w", sample.weight, weight), ("b", (sample.outputs,), "s32")):
            tensor = Tensor(name, shape, dtype, (1.0,), 0, len(content))
            content += pack(tensor, np.zeros(shape, np.int64)).ljust(4 * -(-tensor.bytes // 4), b"\0")
            parameters.append(tensor)
    first = len(parameters)
    activations = [Tensor("x", sample.shape, "s8", (0.5,), offset=-1)]
    ops = []
    for i, dtype in enumerate(reads):
        activations.append(Tensor(f"x{i}", sample.shape, dtype, (0.5,)))
        what = Rescale(rescale=(PAIRS[0],), **_range(dtype))
        ops.append(Op(f"x{i}", what, (first,), first + len(activations) - 1))
    activations.append(Tensor("y", sample.output, y, (0.5,)))
    pair = next(pair for pair in PAIRS if in_range(*pair, rounding))
    common = {"rescale": (pair,) * pairs, "rounding": rounding, **_range(y)}
    if kind.table_entries:
        common["tables"] = (0,) * kind.table_entries
    what = replace(kind(**sample.attributes), **common)
    inputs = tuple(range(first + 1, first + 1 + len(reads)))
    places = {"weight": 0, "bias": 1} if kind.parametric else {}
    ops.append(Op("y", what, inputs, first + len(activations) - 1, **places))
    tensors = (*parameters, *activations)
    return plan_arena(Program(tensors, tuple(ops), first, len(tensors) - 1, first, content))


def _range(dtype: str) -> dict[str, int]:
    most = 2 ** (BITS[dtype] - 1)
    return {"lo": -most, "hi": most - 1}


def _origins() -> Iterator[tuple[str, ...]]:
    from stepforward.engines.torch import OPERATORS as IN_TORCH

    known = {name.partition(",")[0] for name in GRAPHS} | set(FUNCTIONS) | {"Where"}  # of a softmax's mask
    assert set(CANONICAL) <= known, f"GRAPHS needs a network with {set(CANONICAL) - known}"
    for name, body in GRAPHS.items():
        node = name.partition(",")[0]
        codes = [code for code, made in NODES.items() if made == node]
        in_torch = node in IN_TORCH or node == "Lookup"
        yield f"{name}", ", ".join(codes), _becomes(node, body), "yes" if in_torch else ""


_MOVES = {"transpose", "reshape"}


def _becomes(node: str, body: str) -> str:
    """The operators that a node is lowered to; moves only where the node itself is one."""
    network = _network(body)
    named = {found.name for found in network.nodes if found.op_type == node}
    ops = lower(network).ops
    if node in ("Reshape", "Flatten", "Transpose"):
        kinds = [op.kind for op in ops if op.kind in _MOVES]
        return _list((f"`{kind}`" for kind in dict.fromkeys(kinds)), "or") + ", or nothing"
    kinds = [op.kind for op in ops if op.name in named and op.kind not in _MOVES]
    return ", ".join(f"`{kind}`" for kind in dict.fromkeys(kinds))


def _network(body: str) -> Network:
    rng = np.linspace(-1, 1, 432, dtype=np.float32)
    weights = {f"w{n}": rng[: 3 * n].reshape(3, n) for n in (2, 18, 32, 72, 144) if f"w{n}" in body}
    weights |= {
        "k": rng[:36].reshape(2, 2, 3, 3),
        "d": rng[:18].reshape(2, 1, 3, 3),
        "b": rng[:2],
        "c": rng[:3],
    }
    weights |= {"wg": rng[:216].reshape(1, 6, 36), "rg": rng[:12].reshape(1, 6, 2), "none": np.array([0])}
    weights |= {"wl": rng[:288].reshape(1, 8, 36), "rl": rng[:16].reshape(1, 8, 2)}
    weights |= {"wr": rng[:72].reshape(1, 2, 36), "rr": rng[:4].reshape(1, 2, 2)}
    weights |= {"six": rng[:6], "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "to": np.array([0, 2, 36])}
    weights |= {"seen": np.tri(6, dtype=bool), "low": np.float32(-np.inf)}
    used = {name: array for name, array in weights.items() if re.search(rf"\b{name}\b", body)}
    text = f'<ir_version: 10, opset_import: ["": 21]> net (float[N,2,6,6] x) => (float[N,3] y) {{ {body} }}'
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in used.items())
    x = np.linspace(-1, 1, 144, dtype=np.float32).reshape(2, 2, 6, 6)
    made = quantize(canonicalize(ir.from_proto(model)), x, QuantizationSettings())
    return read_quantized(made)


if __name__ == "__main__":
    PAGE.write_text(page())
