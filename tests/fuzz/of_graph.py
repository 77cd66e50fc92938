"""Small graphs of many operators, then changed; what is read must compute the same as in ONNX Runtime."""

import math
from random import Random

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from fuzz.of_onnx import change
from fuzz.place import as_file
from stepforward.graph.forward import run
from stepforward.sources.open import open_source
from stepforward.verbs.check import check

SUFFIX = ".onnx"
_MOST = 2**63 - 1
_ENDS = (-_MOST - 1, -100, -3, -2, -1, 0, 1, 2, 3, 4, 100, _MOST)


class Graph:
    """Nodes so far, and the values they may read, with shapes: (shape of a sample, name)."""

    def __init__(self, rng: Random):
        self.rng, self.opset = rng, rng.choice((13, 17, 18, 21))
        self.nodes, self.constants = [], []
        shape = rng.choice(((2, 6, 6), (4, 4, 4), (3, 8, 5), (8, 3, 4), (12,), (6, 4), (1, 7, 7), (4, 1, 12)))
        self.batch, self.input = rng.choice(("n", "n", 1, 3)), shape
        self.values = [(shape, "x")]

    def constant(self, array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weights(self, *shape: int) -> str:
        start = self.rng.randrange(100)
        wave = np.cos((np.arange(math.prod(shape)) + start) * 1.7) * 0.5
        return self.constant(wave.reshape(shape).astype(np.float32))

    def add(self, kind: str, inputs: list[str], shapes: list[tuple], **attributes) -> None:
        names = [f"v{len(self.nodes)}_{i}" for i in range(len(shapes))]
        name = self.rng.choice(("", f"{kind}_{len(self.nodes)}"))
        self.nodes.append(helper.make_node(kind, inputs, names, name, **attributes))
        self.values += zip(shapes, names, strict=True)

    def pick(self, rank: int | None = None) -> tuple[tuple, str]:
        """One of the values, mostly a late one."""
        fitting = [value for value in self.values if rank is None or len(value[0]) == rank]
        fitting = [value for value in fitting if value[0] and math.prod(value[0]) < 4000] or self.values[:1]
        return fitting[-1] if self.rng.random() < 0.6 else self.rng.choice(fitting)

    def axis(self, shape: tuple) -> tuple[int, int]:
        """(position in the sample's shape, how the file writes it)."""
        at = self.rng.randrange(len(shape))
        return at, self.rng.choice((at + 1, at - len(shape)))


def _unary(g):
    shape, name = g.pick()
    kind = g.rng.choice(("Relu", "Relu", "Identity", "Neg", "Dropout", "Clip"))
    bounds = g.rng.choice(([], [""], [g.constant(np.float32(0))], ["", g.constant(np.float32(0.5))]))
    g.add(kind, [name, *(bounds if kind == "Clip" else [])], [shape])


def _conv(g):
    shape, name = g.pick(3)
    if len(shape) != 3:
        return
    group = g.rng.choice([n for n in (1, 1, 2, shape[0]) if shape[0] % n == 0])
    out = group * g.rng.choice((1, 2, 3))
    kernel = [g.rng.choice((1, 2, 3)) for _ in "hw"]
    pads = [g.rng.choice((0, 0, 1)) for _ in "tlbr"]
    strides = [g.rng.choice((1, 1, 2)) for _ in "hw"]
    sizes = _window(shape, kernel, strides, pads)
    if min(sizes) < 1:
        return
    inputs = [name, g.weights(out, shape[0] // group, *kernel), *([g.weights(out)] * g.rng.randrange(2))]
    g.add("Conv", inputs, [(out, *sizes)], group=group, pads=pads, strides=strides)


def _window(shape, kernel, strides, pads):
    return [(shape[1 + i] + pads[i] + pads[i + 2] - kernel[i]) // strides[i] + 1 for i in (0, 1)]


def _pool(g):
    shape, name = g.pick(3)
    if len(shape) != 3:
        return
    kind = g.rng.choice(("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"))
    if kind.startswith("Global"):
        g.add(kind, [name], [(shape[0], 1, 1)])
        return
    kernel, strides = [g.rng.choice((1, 2, 3)) for _ in "hw"], [g.rng.choice((1, 2)) for _ in "hw"]
    pads = [g.rng.randrange(k) for k in kernel * 2]
    sizes = _window(shape, kernel, strides, pads)
    if min(sizes) < 1:
        return
    counted = {"count_include_pad": g.rng.randrange(2)} if kind == "AveragePool" else {}
    g.add(kind, [name], [(shape[0], *sizes)], kernel_shape=kernel, strides=strides, pads=pads, **counted)


def _norm(g):
    shape, name = g.pick()
    variance = g.constant(np.full(shape[0], g.rng.choice((1.0, 0.25)), np.float32))
    g.add("BatchNormalization", [name, *(g.weights(shape[0]) for _ in range(3)), variance], [shape])


def _split(g):
    shape, name = g.pick()
    at, axis = g.axis(shape)
    count = g.rng.choice((1, 2, 2, 3, 4))
    if shape[at] < count:
        return
    cuts = sorted(g.rng.sample(range(1, shape[at]), count - 1))
    sizes = [b - a for a, b in zip([0, *cuts], [*cuts, shape[at]], strict=True)]
    inputs, extra = [name, g.constant(np.array(sizes, np.int64))], {}
    if g.rng.random() < 0.5 and (g.opset >= 18 or shape[at] % count == 0):
        size = -(-shape[at] // count)
        sizes = [min(size, shape[at] - size * i) for i in range(count)]
        inputs, extra = [name], {"num_outputs": count} if g.opset >= 18 else {}
    if min(sizes) > 0:
        g.add("Split", inputs, [(*shape[:at], size, *shape[at + 1 :]) for size in sizes], axis=axis, **extra)


def _slice(g):
    shape, name = g.pick()
    pairs = [g.axis(shape) for _ in range(g.rng.choice((1, 1, 2)))]
    if len({at for at, _ in pairs}) < len(pairs):
        return
    new, starts, ends, steps = list(shape), [], [], []
    for at, _ in pairs:
        start, end, step = g.rng.choice(_ENDS), g.rng.choice(_ENDS), g.rng.choice((1, 1, 1, 2, 3, -1, -2))
        new[at] = len(range(shape[at])[slice(start, end, step)])
        starts, ends, steps = [*starts, start], [*ends, end], [*steps, step]
    inputs = [np.array(numbers, np.int64) for numbers in (starts, ends, [axis for _, axis in pairs], steps)]
    if min(new) > 0:
        g.add("Slice", [name, *map(g.constant, inputs)], [tuple(new)])


def _gather(g):
    shape, name = g.pick()
    at, axis = g.axis(shape)
    where = np.array([g.rng.randrange(-shape[at], shape[at]) for _ in range(g.rng.choice((1, 2, 4)))])
    if g.rng.random() < 0.3:
        where = np.array(g.rng.sample(range(shape[at]), shape[at]))
    form = g.rng.choice([(len(where),), (len(where),), (1, len(where)), *([()] if len(where) == 1 else [])])
    shapes = [(*shape[:at], *form, *shape[at + 1 :])]
    g.add("Gather", [name, g.constant(where.reshape(form))], shapes, axis=axis)


def _concat(g):
    shape, name = g.pick()
    at, axis = g.axis(shape)
    fitting = [
        v
        for v in g.values
        if len(v[0]) == len(shape) and v[0][:at] + v[0][at + 1 :] == shape[:at] + shape[at + 1 :]
    ]
    parts = [(shape, name), *(g.rng.choice(fitting) for _ in range(g.rng.choice((0, 1, 1, 2, 9))))]
    g.rng.shuffle(parts)
    total = sum(part[0][at] for part in parts)
    g.add("Concat", [part[1] for part in parts], [(*shape[:at], total, *shape[at + 1 :])], axis=axis)


def _pad(g):
    shape, name = g.pick()
    rank = len(shape) + 1
    pads = [0 if i % rank == 0 else g.rng.choice((0, 0, 0, 1, 2, -1)) for i in range(2 * rank)]
    new = tuple(size + pads[i + 1] + pads[i + 1 + rank] for i, size in enumerate(shape))
    value = [[], [g.constant(np.float32(g.rng.choice((0, 0.5, -1))))]][g.rng.randrange(2)]
    if min(new) > 0:
        g.add("Pad", [name, g.constant(np.array(pads)), *value], [new])


def _reshape(g):
    shape, name = g.pick()
    left, new = math.prod(shape), []
    while left > 1 and len(new) < 5:
        new.append(g.rng.choice([n for n in (1, 2, 3, 4, 6, left) if left % n == 0]))
        left //= new[-1]
    new = (*new, left) if left > 1 else tuple(new) or (1,)
    kind = g.rng.randrange(4)
    if kind == 0:
        g.add("Flatten", [name], [(math.prod(shape),)])
    elif kind == 1 and 1 in shape and len(shape) > 1:
        at = shape.index(1)
        g.add("Squeeze", [name, g.constant(np.array([at + 1]))], [shape[:at] + shape[at + 1 :]])
    elif kind == 2 and len(shape) < 5:
        at = g.rng.randrange(len(shape) + 1)
        g.add("Unsqueeze", [name, g.constant(np.array([at + 1]))], [(*shape[:at], 1, *shape[at:])])
    else:
        target = [g.rng.choice((0, -1)) if g.batch == "n" else g.batch, *new]
        g.add("Reshape", [name, g.constant(np.array(target, np.int64))], [new])


def _transpose(g):
    shape, name = g.pick()
    perm = g.rng.sample(range(len(shape)), len(shape))
    shapes = [tuple(shape[axis] for axis in perm)]
    g.add("Transpose", [name], shapes, perm=[0, *(axis + 1 for axis in perm)])


def _repeat(g):
    shape, name = g.pick()
    times = [g.rng.choice((1, 1, 2, 3)) for _ in shape]
    repeated = tuple(size * n for size, n in zip(shape, times, strict=True))
    if g.rng.random() < 0.5:
        g.add("Tile", [name, g.constant(np.array([1, *times]))], [repeated])
    else:
        stretched = tuple(n if size == 1 else size for size, n in zip(shape, times, strict=True))
        g.add("Expand", [name, g.constant(np.array([1, *stretched]))], [stretched])


def _look_up(g):
    shape, name = g.pick()
    at = g.rng.randrange(len(shape))
    order = [at + 1, *(axis for axis in range(len(shape) + 1) if axis != at + 1)]
    back = [order.index(axis) for axis in range(len(shape) + 1)]
    where = np.array([[g.rng.randrange(-shape[at], shape[at])] for _ in range(g.rng.choice((1, 2, 3)))])
    names = [f"t{len(g.nodes)}", f"n{len(g.nodes)}"]
    g.nodes.append(helper.make_node("Transpose", [name], names[:1], perm=order))
    g.nodes.append(helper.make_node("GatherND", [names[0], g.constant(where)], names[1:]))
    g.add("Transpose", names[1:], [(*shape[:at], len(where), *shape[at + 1 :])], perm=back)


def _shuffle(g):
    shape, name = g.pick(3)
    if len(shape) == 3 and shape[0] % 2 == 0 and g.batch == "n":
        half = (2, shape[0] // 2, *shape[1:])
        g.add("Reshape", [name, g.constant(np.array([-1, *half]))], [half])
        turned = (half[1], 2, *shape[1:])
        g.add("Transpose", [g.values[-1][1]], [turned], perm=[0, 2, 1, 3, 4])
        g.add("Reshape", [g.values[-1][1], g.constant(np.array([-1, *shape]))], [shape])


def _reduce(g):
    shape, name = g.pick(3)
    if len(shape) != 3:
        return
    keep, axes = g.rng.randrange(2), g.rng.choice(([2, 3], [-1, -2], [1, 2], [3]))
    gone = {axis % 4 - 1 for axis in axes}
    new = tuple(1 if i in gone else n for i, n in enumerate(shape) if keep or i not in gone)
    kind = g.rng.choice(("ReduceMean", "ReduceMax"))
    if g.opset >= 18:
        g.add(kind, [name, g.constant(np.array(axes))], [new], keepdims=keep)
    else:
        g.add(kind, [name], [new], keepdims=keep, axes=axes)


def _arithmetic(g):
    shape, name = g.pick()
    kind = g.rng.choice(("Add", "Sub", "Mul", "Div", "Max", "Min"))
    form = g.rng.choice(
        ((), (1,), (shape[0], *(1 for _ in shape[1:])), (1, shape[0], *(1 for _ in shape[1:])), shape)
    )
    operands = [name, g.weights(*form)]
    if g.rng.random() < 0.3 and kind != "Div":
        operands.reverse()
    g.add(kind, operands, [shape])


def _join(g):
    shape, name = g.pick()
    others = [value[1] for value in g.values if value[0] == shape]
    kind = g.rng.choice(("Add", "Sum"))
    count = 1 if kind == "Add" else g.rng.choice((0, 1, 2))
    g.add(kind, [name, *(g.rng.choice(others) for _ in range(count))], [shape])


def _linear(g):
    shape, name = g.pick(1)
    if len(shape) != 1:
        return
    out = g.rng.choice((2, 3, 4, 8))
    kind = g.rng.randrange(3)
    if kind == 0:
        g.add("MatMul", [name, g.weights(shape[0], out)], [(out,)])
    elif kind == 1:
        g.add("Gemm", [name, g.weights(out, shape[0]), g.weights(out)], [(out,)], transB=1)
    else:
        bias = g.weights(*g.rng.choice(((), (1, out), (out,))))
        g.add("Gemm", [name, g.weights(shape[0], out), bias], [(out,)], alpha=0.5, beta=2.0)


def _blocks(g):
    shape, name = g.pick(3)
    if len(shape) != 3:
        return
    if shape[1] % 2 == shape[2] % 2 == 0:
        g.add("SpaceToDepth", [name], [(shape[0] * 4, shape[1] // 2, shape[2] // 2)], blocksize=2)
    elif shape[0] % 4 == 0:
        new = (shape[0] // 4, shape[1] * 2, shape[2] * 2)
        g.add("DepthToSpace", [name], [new], blocksize=2, mode=g.rng.choice(("DCR", "CRD")))


def _rows(g):
    """What transformers compute along the last axis."""
    shape, name = g.pick()
    if len(shape) < 2:
        return
    kind, width = g.rng.randrange(6), shape[-1]
    if kind == 0:
        g.add("Softmax", [name], [shape], axis=g.rng.choice((-1, len(shape))))
    elif kind == 1 and g.opset >= 17:
        bias = [g.weights(width)] * g.rng.randrange(2)
        g.add(
            "LayerNormalization", [name, g.weights(width), *bias], [shape], epsilon=g.rng.choice((1e-5, 0.1))
        )
    elif kind == 2:
        out = g.rng.choice((1, 2, 4, 9))
        g.add("MatMul", [name, g.weights(width, out)], [(*shape[:-1], out)])
        if g.rng.random() < 0.7:
            g.add("Add", [g.values[-1][1], g.weights(out)], [g.values[-1][0]])
    elif kind == 3:
        turned = (*shape[:-2], width, shape[-2])
        rank = len(shape) + 1
        g.add("Transpose", [name], [turned], perm=[*range(rank - 2), rank - 1, rank - 2])
        other = g.values[-1][1]
        if g.rng.random() < 0.5:
            g.add("MatMul", [name, other], [(*shape[:-1], shape[-2])])
        else:
            g.add("MatMul", [other, name], [(*turned[:-1], width)])
    elif kind == 4:
        g.add("Mul", [name, g.constant(np.float32(g.rng.choice((0.5, -2))))], [shape])
    else:
        g.add(g.rng.choice(("Add", "Mul", "Sub")), [name, g.weights(1, *shape)], [shape])


_STEPS = (
    *(_rows, _rows, _rows),
    *(_unary, _unary, _conv, _conv, _conv, _pool, _norm, _split, _split, _slice, _slice, _gather, _gather),
    *(
        _concat,
        _concat,
        _pad,
        _reshape,
        _transpose,
        _shuffle,
        _repeat,
        _look_up,
        _reduce,
        _arithmetic,
        _join,
        _linear,
        _blocks,
    ),
)


def _other_constant(rng, model):
    """Another type, shape or other numbers, all of which fit each other."""
    if not model.graph.initializer:
        return
    at = rng.randrange(len(model.graph.initializer))
    old = model.graph.initializer[at]
    try:
        array, kind = numpy_helper.to_array(old), rng.randrange(8)
    except Exception:  # it was changed before, and has no numbers any more
        return
    if array.size and array.dtype.kind == "i" and kind < 4:
        array = np.array([rng.choice(_ENDS) for _ in range(array.size)]).reshape(array.shape)
    elif kind == 0:
        with np.errstate(all="ignore"):
            array = array.astype(rng.choice((np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_)))
    elif kind == 1:
        array = array.T
    elif kind == 2:
        array = array[None]
    elif kind == 3:
        array = array.reshape(-1)
    elif kind == 4:
        array = array.reshape(-1)[: rng.randrange(3)]
    elif kind == 5:
        array = np.concatenate([array.reshape(-1)] * 2)
    elif kind == 6:
        with np.errstate(all="ignore"):
            array = array * rng.choice((0, -1, 1e30, 1e-30)) if array.dtype.kind == "f" else array
    else:
        array = array[..., None, None]
    old.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), old.name))


def _known_attribute(rng, model):
    """An attribute that the operator may have: dropped, or of another value."""
    if not model.graph.node:
        return
    node = rng.choice(model.graph.node)
    schema = _schema(node.op_type, model)
    if schema is None or not schema.attributes:
        return
    name = rng.choice(sorted(schema.attributes))
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    old = next((attribute for attribute in node.attribute if attribute.name == name), None)
    del node.attribute[:]
    node.attribute.extend(kept)
    if rng.random() < 0.2:
        return
    kind = schema.attributes[name].type.name
    numbers = list(old.ints) if old is not None and old.ints else [1] * rng.choice((1, 2, 4))
    numbers[rng.randrange(len(numbers))] = rng.choice((*_ENDS, 7, 2**31, 2**40, 65536, 65537))
    value = {
        "INT": rng.choice((*_ENDS, 2**31)),
        "INTS": rng.choice((numbers, numbers, numbers[:-1], [*numbers, 1])),
        "FLOAT": rng.choice((0.0, -1.0, 1e30, math.inf, math.nan, 0.5)),
        "STRING": rng.choice(
            ("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "reflect", "edge", "wrap", "CRD", "")
        ),
    }.get(kind)
    if value is not None:
        node.attribute.append(
            helper.make_attribute(name, value, attr_type=getattr(onnx.AttributeProto, kind))
        )


def _schema(operator, model):
    try:
        return onnx.defs.get_schema(operator, model.opset_import[0].version)
    except (onnx.defs.SchemaError, IndexError, TypeError):  # TypeError: a version beyond 2^31
        return None


def _other_input(rng, model):
    """An input left out, read twice, or another value that is known there."""
    if not model.graph.node:
        return
    at = rng.randrange(len(model.graph.node))
    node = model.graph.node[at]
    known = [*(tensor.name for tensor in model.graph.initializer), "x"]
    known += [name for before in model.graph.node[:at] for name in before.output]
    if not node.input or rng.random() < 0.2:
        node.input.append(rng.choice(known))
    elif rng.random() < 0.3:
        node.input[rng.randrange(len(node.input))] = ""
    elif rng.random() < 0.2:
        del node.input[-1]
    else:
        node.input[rng.randrange(len(node.input))] = rng.choice(known)


def _other_operator(rng, model):
    """An operator with as many inputs in the place of another."""
    if model.graph.node:
        node = rng.choice(model.graph.node)
        same = _ALIKE[min(len(node.input), 3)]
        node.op_type = rng.choice(same)
        schema = _schema(node.op_type, model)
        kept = [entry for entry in node.attribute if schema is None or entry.name in schema.attributes]
        del node.attribute[:]
        node.attribute.extend(kept)


_ALIKE = {
    0: ("Constant", "Relu"),
    1: (
        *(
            "Relu",
            "Neg",
            "Flatten",
            "Transpose",
            "GlobalAveragePool",
            "GlobalMaxPool",
            "MaxPool",
            "Identity",
            "Squeeze",
        ),
        *(
            "Softmax",
            "Sigmoid",
            "ReduceMean",
            "ReduceMax",
            "Split",
            "Shape",
            "Size",
            "Clip",
            "Dropout",
            "Concat",
            "Sum",
        ),
    ),
    2: (
        *(
            "Add",
            "Mul",
            "Sub",
            "Div",
            "Max",
            "Min",
            "MatMul",
            "Gemm",
            "Conv",
            "Concat",
            "Sum",
            "Gather",
            "Split",
            "Pad",
        ),
        *(
            "Reshape",
            "Expand",
            "Squeeze",
            "Unsqueeze",
            "ReduceMean",
            "ReduceMax",
            "Clip",
            "CastLike",
            "Slice",
            "Tile",
        ),
    ),
    3: ("Slice", "BatchNormalization", "Pad", "Clip", "Conv", "Gemm", "Concat", "Sum", "Max", "Where"),
}


def _other_shape(rng, model):
    """An input of another rank or size."""
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        kind = rng.randrange(4)
        if kind == 0 and dims:
            del dims[-1]
        elif kind == 1:
            dims.add().dim_value = rng.choice((1, 2, 4))
        elif kind == 2:
            del dims[:]
        elif dims:
            dims[rng.randrange(len(dims))].dim_value = rng.choice((0, 1, 2, 3, 5, 97, 4096))


_CHANGES = (
    *(
        _other_constant,
        _other_constant,
        _other_constant,
        _known_attribute,
        _known_attribute,
        _known_attribute,
    ),
    *(_other_input, _other_input, _other_operator, _other_shape),
)


def make(rng: Random) -> bytes:
    """A graph of up to ten operators and a last layer, which may have other outputs; four of five with one to three
    changes."""
    g = Graph(rng)
    for _ in range(rng.randrange(1, 11)):
        rng.choice(_STEPS)(g)
    shape, name = g.values[-1]
    if rng.random() < 0.9:
        g.add("Flatten", [name], [(math.prod(shape),)])
        g.add("Gemm", [g.values[-1][1], g.weights(3, math.prod(shape))], [(3,)], transB=1)
    outputs = {g.values[-1][1]: g.values[-1][0]}
    if rng.random() < 0.3:
        shape, name = rng.choice(g.values)
        g.add("Softplus", [name], [shape])  # which the logits do not need
        others = rng.sample(g.values[1:], min(len(g.values) - 1, rng.randrange(1, 4)))
        outputs = {name: shape for shape, name in others if name not in outputs} | outputs
    graph = helper.make_graph(
        g.nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [g.batch, *g.input])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [g.batch, *shape])
            for name, shape in outputs.items()
        ],
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", g.opset)], ir_version=8)
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        (change if rng.random() < 0.2 else rng.choice(_CHANGES))(rng, model)
    return model.SerializeToString()


def read(content: bytes) -> None:
    """Open and check the model; hold its numbers to ONNX Runtime's, where that runs it and they are moderate."""
    path = as_file(content, "model.onnx")
    outputs = [value.name for value in onnx.ModelProto.FromString(content).graph.output]
    logits = outputs[-1] if len(outputs) > 1 else None
    opened = open_source(path, output=logits)
    if len(content) % 4 == 0:
        check(path, output=logits)
    if opened.is_float and opened.outputs > 2:
        _compare(opened, content)


def _compare(opened, content):
    x = (
        np.cos(np.arange(3 * math.prod(opened.input_shape)) * 0.7)
        .astype(np.float32)
        .reshape(3, *opened.input_shape)
    )
    *others, expected = _onnx_runtime(content, x) or [None]
    if any(not _moderate(values) for values in (*others, expected)):
        return
    with np.errstate(all="ignore"):
        found = run(opened.model.graph, x)
    _hold(found, expected.reshape(found.shape) if found.size == expected.size else expected)
    if others:
        (batch, *_) = onnx.ModelProto.FromString(content).graph.input[0].type.tensor_type.shape.dim
        kept = _onnx_runtime(ir.to_proto(opened.for_callers).SerializeToString(), x, batch.dim_value)
        if kept is None:
            raise AssertionError("ONNX Runtime cannot run what is written")
        for mine, theirs in zip(kept[: len(others)], others, strict=True):
            _hold(mine, theirs)


def _moderate(values):
    return values is not None and np.isfinite(values).all() and np.abs(values).max(initial=0) <= 1e6


def _hold(found, expected):
    size = max(1.0, float(np.abs(expected).max(initial=0)))
    if found.shape != expected.shape or np.abs(found - expected).max(initial=0) > 1e-3 * size:
        raise AssertionError("other numbers than ONNX Runtime's")


def _onnx_runtime(content, x, batch=0):
    """Its outputs, or None where it refuses the model or the batch, or may die of it.

    Args:
        batch: as many samples at a time; default: what the model says.
    """
    nodes = onnx.ModelProto.FromString(content).graph.node
    if any("" in node.input and node.op_type != "Clip" for node in nodes):
        return None  # it dies of a Min that reads nothing
    if any("" in node.output for node in nodes):
        return None  # and of a Split that leaves a part out
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(content, options)
        batch = batch or session.get_inputs()[0].shape[0]
        parts = [x] if not isinstance(batch, int) else np.split(x, 3 // batch)
        found = [session.run(None, {session.get_inputs()[0].name: part}) for part in parts]
        return [np.concatenate(values) for values in zip(*found, strict=True)]
    except Exception:  # it raises its own kinds
        return None
