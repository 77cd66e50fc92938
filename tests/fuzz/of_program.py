"""Programs (.sfp): words of every section and the metadata change, sizes and checksums are made right again."""

import json
import struct
import zlib
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import onnx
import onnx_ir as ir

from fuzz.mutate import json_bytes, mutated_bytes, mutated_json, near
from stepforward.lowering.lower import lower
from stepforward.program import fileformat
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.write import quantize
from stepforward.verbs.inspect import inspect

SUFFIX = ".sfp"
GOLDEN = Path(__file__).parent.parent / "golden" / "arithmetic_1"
INSPECTED = 25  # of the programs that are read, one in so many: inspecting takes a hundred times as long
_read = 0


@cache
def _starts() -> list[bytes]:
    return [
        *((GOLDEN / f"{name}.sfp").read_bytes() for name in ("s16", "s8", "s4", "moves")),
        *_attention(),
        *_recurrent(),
    ]


def _attention() -> list[bytes]:
    """A layer norm, and products of its tokens with softmax in between."""
    text = """<ir_version: 10, opset_import: ["": 21]> net (float[N,2,3,4] x) => (float[N,M] y) {
    t = Reshape(x, s)  n = LayerNormalization(t, g, g)  k = Transpose<perm=[0,2,1]>(n)  p = MatMul(n, k)
    a = Softmax(p)  v = MatMul(a, n)  e = Add(t, v)  z = LayerNormalization(e, g, g)  f = Flatten(z)
    y = Gemm<transB=1>(f, w) }"""
    weights = {"s": np.array([0, 6, 4]), "g": np.ones(4, np.float32), "w": np.eye(3, 24, dtype=np.float32)}
    return [_program(text, weights, (20, 2, 3, 4))]


def _recurrent() -> list[bytes]:
    """A GRU, an RNN, and an LSTM of both directions over its states."""
    text = """<ir_version: 10, opset_import: ["": 21]> net (float[N,5,3] x) => (float[N,M] y) {
    t = Transpose<perm=[1,0,2]>(x)  z, h = GRU<hidden_size=4>(t, w, r)  q = Squeeze(z, one)
    z3, h3 = RNN<hidden_size=4, activations=["Relu"]>(q, w3, r3)  q3 = Squeeze(z3, one)
    z2, h2 = LSTM<hidden_size=2, direction="bidirectional">(q3, w2, r2)  p = Transpose<perm=[1,0,2]>(h2)
    f = Flatten(p)  y = Gemm<transB=1>(f, u) }"""
    shapes = {
        "w": (1, 12, 3),
        "r": (1, 12, 4),
        "w2": (2, 8, 4),
        "r2": (2, 8, 2),
        "w3": (1, 4, 4),
        "r3": (1, 4, 4),
        "u": (3, 4),
    }
    draw = np.random.default_rng(1).uniform
    weights = {name: draw(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    return [_program(text, weights | {"one": np.array([1])}, (20, 5, 3))]


def _program(text: str, weights: dict, shape: tuple[int, ...]) -> bytes:
    proto = onnx.parser.parse_model(text)
    proto.graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in weights.items()
    )
    model = ir.from_proto(proto)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return fileformat.to_bytes(lower(read_quantized(quantize(canonicalize(model), x))))


@cache
def _metadata(content: bytes) -> dict:
    at, size = struct.unpack_from("<2I", content, 60)
    return json.loads(content[at : at + size])


def make(rng: Random) -> bytes:
    """A program with one to three changes."""
    start = rng.choice(_starts())
    content, metadata = bytearray(start), None
    weights, metadata_at = (struct.unpack_from("<I", start, place)[0] for place in (52, 60))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kind = rng.randrange(10)
        if kind < 3:
            metadata = mutated_json(rng, metadata or _metadata(start))
        elif kind == 3:
            place = 24 + 4 * rng.randrange(26)
            struct.pack_into("<I", content, place, near(rng, struct.unpack_from("<I", content, place)[0]))
        else:
            place = 4 * rng.randrange(32, weights // 4)
            struct.pack_into("<I", content, place, near(rng, struct.unpack_from("<I", content, place)[0]))
    if metadata is not None:
        text = json_bytes(rng, metadata)
        content[metadata_at:] = text + bytes(-len(text) % 16)
        struct.pack_into("<I", content, 8, len(content))
        struct.pack_into("<I", content, 64, len(text))
    if rng.random() < 0.05:
        content = bytearray(mutated_bytes(rng, bytes(content)))
    return sealed(content) if rng.random() < 0.98 else bytes(content)


def sealed(content: bytearray) -> bytes:
    """The file with its checksums made right."""
    if len(content) < 128:
        return bytes(content)
    weights, weight_bytes, metadata, metadata_bytes = struct.unpack_from("<4I", content, 52)
    struct.pack_into("<I", content, 16, zlib.crc32(content[weights : weights + weight_bytes]))
    struct.pack_into("<I", content, 20, zlib.crc32(content[metadata : metadata + metadata_bytes]))
    struct.pack_into("<I", content, 12, zlib.crc32(content[16 : max(16, weights)]))
    return bytes(content)


def read(content: bytes) -> None:
    """Read a program; inspect some of those that can be read."""
    global _read
    program = fileformat.from_bytes(content)
    _read += 1
    if _read % INSPECTED == 1:
        inspect(program)
