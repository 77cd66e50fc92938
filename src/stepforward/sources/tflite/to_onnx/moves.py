"""What moves numbers, picks some of them, joins tensors, or reduces them along axes."""

from typing import Literal

import numpy as np

from stepforward.sources.problems import UnreadableError
from stepforward.sources.tflite.file import Operator
from stepforward.sources.tflite.to_onnx.graph import TO_FRONT, Translation, axis_of

_BEFORE_THE_FIRST = -(2**31)
"""Where a slice ends that goes backwards and takes the first element, too."""

REDUCTIONS = {"MEAN": "ReduceMean", "SUM": "ReduceSum", "REDUCE_MAX": "ReduceMax", "REDUCE_MIN": "ReduceMin"}


def reshape(t: Translation, o: Operator) -> None:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the file says the shape of the result."""
    t.give(o, t.reshape(t.read(o), t.output(o).shape))


def transpose(t: Translation, o: Operator) -> None:
    """TRANSPOSE."""
    t.give(o, t.put("Transpose", [t.read(o)], perm=t.array(o, 1).reshape(-1).tolist()))


def reduce(t: Translation, o: Operator) -> None:
    """MEAN, SUM, REDUCE_MAX and REDUCE_MIN."""
    rank = len(t.tensor(o, 0).shape)
    first = rank == 4 and t.held_first(o)
    axes = sorted({axis_of(int(axis), rank, first) for axis in t.array(o, 1).reshape(-1)})
    made = t.put(REDUCTIONS[o.code], [t.read(o, first=first), t.integers(axes)], keepdims=1)
    if len(t.output(o).shape) == rank:
        t.give(o, made, first)
    else:
        t.give_as_filed(o, made, first)


def pad(t: Translation, o: Operator) -> None:
    """PAD and PADV2."""
    pads, rank = t.array(o, 1), len(t.tensor(o, 0).shape)
    if pads.shape != (rank, 2):
        raise UnreadableError(f"it pads {rank} axes by numbers of shape {pads.shape}")
    first = t.first(o)
    pads = pads[list(TO_FRONT)] if first else pads
    inputs = [t.read(o, first=first), t.integers(pads.T.reshape(-1).tolist())]
    if o.code == "PADV2":
        inputs.append(t.constant(t.array(o, 2).astype(np.float32).reshape(()), "fill"))
    t.give(o, t.put("Pad", inputs), first)


def mirror_pad(t: Translation, o: Operator) -> None:
    """MIRROR_PAD: with the border's own numbers twice (SYMMETRIC), or without."""
    shape = t.tensor(o, 0).shape
    mode: Literal["reflect", "symmetric"] = "symmetric" if o.options.get("Mode", 0) else "reflect"
    pads, first = t.array(o, 1), t.first(o)
    inner = np.array(shape) - (mode == "reflect")
    if pads.shape != (len(shape), 2) or pads.min() < 0 or (pads > inner[:, None]).any():
        raise UnreadableError(f"it mirrors {pads.tolist()} of {shape}")
    value = t.read(o, first=first)
    for axis, (size, amounts) in enumerate(zip(shape, pads.tolist(), strict=True)):
        if any(amounts):
            places = t.integers(np.pad(np.arange(size), amounts, mode).tolist())
            value = t.put("Gather", [value, places], axis=axis_of(axis, len(shape), first))
    t.give(o, value, first)


def concat(t: Translation, o: Operator) -> None:
    """CONCATENATION."""
    first, rank = t.first(o), len(t.output(o).shape)
    values = [t.read(o, place, first) for place in range(len(o.inputs))]
    t.give(o, t.put("Concat", values, axis=axis_of(o.options.get("Axis", 0), rank, first)), first)


def split(t: Translation, o: Operator) -> None:
    """SPLIT (axis, x) and SPLIT_V (x, sizes, axis)."""
    x, along = (1, 0) if o.code == "SPLIT" else (0, 2)
    first, rank = t.first(o), len(t.tensor(o, x).shape)
    axis = int(t.array(o, along).reshape(-1)[0])
    sizes = [t.output(o, place).shape[axis] for place in range(len(o.outputs))]
    at = axis_of(axis, rank, first)
    for place, value in enumerate(
        t.put_several("Split", [t.read(o, x, first), t.integers(sizes)], len(sizes), axis=at)
    ):
        t.give(o, value, first, place)


def pack(t: Translation, o: Operator) -> None:
    """PACK: tensors along a new axis."""
    shape = t.output(o).shape
    axis = axis_of(o.options.get("Axis", 0), len(shape), False)
    single = tuple(1 if i == axis else size for i, size in enumerate(shape))
    values = [t.reshape(t.read(o, place), single) for place in range(len(o.inputs))]
    t.give(o, t.put("Concat", values, axis=axis))


def unpack(t: Translation, o: Operator) -> None:
    """UNPACK: one tensor for each place of an axis."""
    axis = axis_of(o.options.get("Axis", 0), len(t.tensor(o, 0).shape), False)
    sizes = [1] * len(o.outputs)
    parts = t.put_several("Split", [t.read(o), t.integers(sizes)], len(sizes), axis=axis)
    for place, value in enumerate(parts):
        t.give(o, t.reshape(value, t.output(o, place).shape), place=place)


def gather(t: Translation, o: Operator) -> None:
    """GATHER by constant places."""
    if o.options.get("BatchDims", 0):
        raise UnreadableError("it gathers for each sample: the same places for all are needed")
    axis = axis_of(o.options.get("Axis", 0), len(t.tensor(o, 0).shape), False)
    where = t.array(o, 1)
    places = t.constant(where.astype(np.int64), f"integers{len(t.initializers)}")
    t.give(o, t.put("Gather", [t.read(o), places], axis=axis))


def repeat(t: Translation, o: Operator) -> None:
    """TILE by constant numbers."""
    t.give(o, t.put("Tile", [t.read(o), t.integers(t.array(o, 1).reshape(-1).tolist())]))


def broadcast(t: Translation, o: Operator) -> None:
    """BROADCAST_TO: the file says the shape of the result."""
    t.give(o, t.put("Expand", [t.read(o), t.integers(t.output(o).shape)]))


def slice_(t: Translation, o: Operator) -> None:
    """SLICE: begin and size of every axis."""
    shape = t.tensor(o, 0).shape
    begin, size = (t.array(o, place).reshape(-1).tolist() for place in (1, 2))
    if len(begin) != len(shape) or len(size) != len(shape):
        raise UnreadableError(f"it cuts {len(shape)} axes at {len(begin)} places")
    ends = [whole if s < 0 else b + s for whole, b, s in zip(shape, begin, size, strict=True)]
    _cut(t, o, [range(b, e) for b, e in zip(begin, ends, strict=True)])


def strided_slice(t: Translation, o: Operator) -> None:
    """STRIDED_SLICE with its masks, but for new axes and an ellipsis."""
    a, shape = o.options, t.tensor(o, 0).shape
    if a.get("EllipsisMask", 0) or a.get("NewAxisMask", 0) or a.get("Offset", False):
        raise UnreadableError("it has an ellipsis, a new axis or offsets: plain begins and ends are needed")
    numbers = zip(*(t.array(o, place).reshape(-1).tolist() for place in (1, 2, 3)), strict=True)
    ranges = [range(size) for size in shape]
    for axis, (begin, end, step) in enumerate(numbers):
        if axis >= len(shape) or step == 0:
            raise UnreadableError(f"it cuts {shape} with a step of {step} along axis {axis}")
        if a.get("ShrinkAxisMask", 0) >> axis & 1:
            at = begin % shape[axis]
            ranges[axis] = range(at, at + 1)
            continue
        whole = slice(
            None if a.get("BeginMask", 0) >> axis & 1 else begin,
            None if a.get("EndMask", 0) >> axis & 1 else end,
            step,
        )
        ranges[axis] = range(*whole.indices(shape[axis]))
    _cut(t, o, ranges)


def _cut(t: Translation, o: Operator, ranges: list[range]) -> None:
    """Keep some places of each axis; axes of one place may be gone."""
    shape = t.tensor(o, 0).shape
    first = len(shape) == 4 and t.held_first(o)
    value = t.read(o, first=first)
    cut = [i for i, (places, size) in enumerate(zip(ranges, shape, strict=True)) if places != range(size)]
    if cut:
        stops = [
            ranges[i].stop if ranges[i].stop >= 0 else _BEFORE_THE_FIRST for i in cut
        ]  # a negative one would count from the end
        axes = [axis_of(i, len(shape), first) for i in cut]
        numbers = ([ranges[i].start for i in cut], stops, axes, [ranges[i].step for i in cut])
        value = t.put("Slice", [value, *(t.integers(each) for each in numbers)])
    if len(t.output(o).shape) == len(shape):
        t.give(o, value, first)
    else:
        t.give_as_filed(o, value, first)


def resize(t: Translation, o: Operator) -> None:
    """RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR."""
    nearest, a = o.code != "RESIZE_BILINEAR", o.options
    aligned, half = a.get("AlignCorners", False), a.get("HalfPixelCenters", False)
    mode = "align_corners" if aligned else "half_pixel" if half else "asymmetric"
    n, height, width, channels = t.output(o).shape
    own = {"nearest_mode": "round_prefer_ceil" if aligned or half else "floor"} if nearest else {}
    inputs = [t.read(o, first=True), None, None, t.integers([n, channels, height, width])]
    kind = "nearest" if nearest else "linear"
    t.give(o, t.put("Resize", inputs, mode=kind, coordinate_transformation_mode=mode, **own), first=True)


def blocks(t: Translation, o: Operator) -> None:
    """DEPTH_TO_SPACE and SPACE_TO_DEPTH."""
    kind = "DepthToSpace" if o.code == "DEPTH_TO_SPACE" else "SpaceToDepth"
    t.give(o, t.put(kind, [t.read(o, first=True)], blocksize=o.options.get("BlockSize", 1)), first=True)
