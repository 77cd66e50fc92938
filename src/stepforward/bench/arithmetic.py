"""The page of arithmetic: what a program must compute and move, whatever the code that does it."""

from collections import Counter

from stepforward.memory import multiply_accumulates
from stepforward.operators.conv import Conv
from stepforward.program.model import Op, Program

PHILOX_MULTIPLIES = 20
"""32x32-bit multiplications of one Philox4x32-10 block; a block makes eight normal z."""

NORMALS_PER_BLOCK = 8


def multiplications(program: Program, op: Op) -> int:
    """Multiply-accumulates of one sample that are left for the multiplier.

    All, but in 3x3 convolutions of stride one: Winograd's F(2x2, 3x3) makes a tile of four outputs from 16 products
    per pair of channels where 36 multiply-accumulates are counted. The conditions are those of
    `core/multiply/host/bands.c`.
    """
    macs = multiply_accumulates(program, op)
    what = op.what
    if not isinstance(what, Conv) or what.groups != 1 or what.kernel != (3, 3):
        return macs
    rows, _, _, channels = program.tensors[op.weight].shape
    height, width, _ = program.tensors[op.output].shape
    tiles = ((height + 1) // 2) * ((width + 1) // 2)
    few = channels < 8 or channels % 2 or rows <= 8 or 8 * tiles > 3 * height * width
    if few or {*what.stride, *what.dilation} != {1}:
        return macs
    return 16 * tiles * channels * rows


def arithmetic(program: Program) -> dict:
    """Counts of one sample in one forward pass.

    Returns:
        macs and macs_by_kind; multiplications (`multiplications`); parameters; weight_bytes; activation_bytes (every
        operator reads its inputs and writes its output once); generator_multiplies (to make z once for every
        parameter).
    """
    macs: Counter[str] = Counter()
    left = 0
    for op in program.ops:
        left += multiplications(program, op)
        macs[op.kind] += multiply_accumulates(program, op)
    moved = sum(program.tensors[index].bytes for op in program.ops for index in (*op.inputs, op.output))
    parameters = sum(tensor.elements for tensor in program.parameters)
    return {
        "macs": macs.total(),
        "multiplications": left,
        "macs_by_kind": {kind: count for kind, count in macs.items() if count},
        "parameters": parameters,
        "weight_bytes": len(program.weights),
        "activation_bytes": moved,
        "generator_multiplies": parameters * PHILOX_MULTIPLIES // NORMALS_PER_BLOCK,
    }


def floor_seconds(counts: dict, batch: int, macs_per_second: float, bytes_per_second: float) -> dict:
    """The least a forward pass over a batch can take.

    Returns:
        multiply: if every lane of the multiplier worked all the time. move: if every byte came from memory and not
        from a cache, at the rate of a copy. The work overlaps, so the floor is the larger one, and only the multiply
        term binds while activations stay in the caches.
    """
    return {
        "multiply": batch * counts["multiplications"] / macs_per_second,
        "move": (batch * counts["activation_bytes"] + counts["weight_bytes"]) / bytes_per_second,
    }
