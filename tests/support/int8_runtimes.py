"""Runtimes of int8 files to compare with: each runs a TensorFlow Lite file on int8 inputs, and gives every layer."""

import struct
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.lowering.lower import lower
from stepforward.program.run import run
from stepforward.program.weights import unpack_all
from stepforward.sources.tflite.file import TfliteFile, schema
from stepforward.sources.tflite.read import read_network

NAMES = ("tflm", "litert-ref", "litert")
"""Those that are installed by the extra tflite-test."""

_ARENA = 8 << 20


def layers(file: TfliteFile, runtime: str, x: np.ndarray) -> dict[str, np.ndarray]:
    """Integers of every layer, by the definition, by tensor name; x is int8, (n, H, W, C); the core's logits
    are equal."""
    program = lower(read_network(file, "m", runtime).network)
    values = run(program, program.ops, unpack_all(program), {program.input: x.astype(np.int64)})
    logits = logits_of(CoreEngine(program), x)
    assert np.array_equal(logits, values[program.output].reshape(logits.shape))
    return {program.tensors[index].name: value for index, value in values.items()}


def different(file: TfliteFile, name: str, x: np.ndarray) -> tuple[int, int]:
    """How many integers of all layers differ from those of a runtime, of how many."""
    ours, wrong, count = layers(file, name, x), 0, 0
    written = [operator.outputs[0] for operator in file.operators]
    go = runtime(name)(with_outputs(file, written))
    theirs = [np.stack(each) for each in zip(*(go(sample) for sample in x), strict=True)]
    for number, values in zip(written, theirs, strict=True):
        output = file.tensors[number].name
        mine = ours.get(output, ours.get(f"{output} as an image"))
        if mine is not None:  # a softmax at the end is dropped, and a reshape may move nothing
            wrong += int((values.reshape(mine.shape) != mine).sum())
            count += mine.size
    return wrong, count


def runtime(name: str) -> Callable[[bytes], Callable[[np.ndarray], list[np.ndarray]]]:
    """What makes of a file's bytes a function from one int8 sample to the integers of its outputs; skips where missing.

    Args:
        name: "tflm", "litert" or "litert-ref".
    """
    if name == "tflm":
        return _tflm
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="needs stepforward[tflite-test]")
    kinds = {"litert": litert.OpResolverType.AUTO, "litert-ref": litert.OpResolverType.BUILTIN_REF}
    return lambda content: _litert(litert, content, kinds[name])


def _tflm(content):
    micro = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="needs stepforward[tflite-test]"
    )
    interpreter = micro.Interpreter.from_bytes(content, arena_size=_ARENA)
    count = schema().Model.GetRootAs(content, 0).Subgraphs(0).OutputsLength()

    def run(x):
        interpreter.set_input(x[None], 0)
        interpreter.invoke()
        return [np.array(interpreter.get_output(index))[0] for index in range(count)]

    return run


def _litert(litert, content, kind):
    interpreter = litert.Interpreter(model_content=content, experimental_op_resolver_type=kind, num_threads=1)
    interpreter.allocate_tensors()
    (source,), results = interpreter.get_input_details(), interpreter.get_output_details()

    def run(x):
        interpreter.set_tensor(source["index"], x[None])
        interpreter.invoke()
        return [interpreter.get_tensor(result["index"])[0] for result in results]

    return run


def with_outputs(file: TfliteFile, tensors: Sequence[int]) -> bytes:
    """The file with other outputs: tensors that its operators write. Their list is appended."""
    return _with_list(file, 8, tensors)


def with_inputs(file: TfliteFile, tensors: Sequence[int]) -> bytes:
    """The file with other inputs: a network from there on, with operators before it that do nothing for it."""
    return _with_list(file, 6, tensors)


def _with_list(file, field, tensors):
    table = schema().Model.GetRootAs(file.content, 0).Subgraphs(0)._tab
    place = table.Pos + table.Offset(field)
    content = bytearray(file.content) + bytes(-len(file.content) % 4)
    content[place : place + 4] = struct.pack("<I", len(content) - place)
    return bytes(content + struct.pack(f"<I{len(tensors)}i", len(tensors), *tensors))
