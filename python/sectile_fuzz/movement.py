# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makers of operators that move elements."""

from __future__ import annotations

from typing import List

import numpy as np

from sectile_reference.tensors import is_float

from .growth import INT32, INT64, Graph, Reject, Value
from .makers import axis_of, is_integer, maker, partner


@maker(4)
def transpose(g: Graph) -> None:
    """Any order of dimensions."""
    x = g.pick(lambda v: v.rank >= 2)
    g.op("Transpose", x, perm=[int(p) for p in g.rng.permutation(x.rank)])


@maker(4)
def reshape(g: Graph) -> None:
    """Merges and splits of dimensions, with 0 and -1; symbols are copied, merged or taken from a shape."""
    x = g.pick(lambda v: v.rank >= 1)
    if not x.static:
        if g.chance(0.5):
            _reshape_by_shape(g, x)
            return
        keep = g.integer(0, x.rank - 1)
        # [0, ..., 0, -1]: the dimensions from `keep` on become one.
        g.op("Reshape", x, g.ints(*([0] * keep + [-1])))
        return
    sizes: List[int] = []
    for extent in x.arrays[0].shape:
        if sizes and g.chance(0.3):
            sizes[-1] *= extent
        else:
            sizes.append(extent)
    split: List[int] = []
    for extent in sizes:
        factors = [f for f in range(2, min(extent, 70)) if extent % f == 0]
        if factors and g.chance(0.5):
            factor = int(g.choose(factors))
            split += [factor, extent // factor]
        else:
            split.append(extent)
    if g.chance(0.2):
        split.insert(g.integer(0, len(split)), 1)
    if g.chance(0.3):
        split[g.integer(0, len(split) - 1)] = -1
    g.op("Reshape", x, g.ints(*split))


def _reshape_by_shape(g: Graph, x: Value) -> None:
    """What exporters write for x.reshape(x.shape[0], -1, ...): sizes of the value's own shape."""
    shape = g.op("Shape", x)
    parts = []
    axis, order = 0, list(range(x.rank))
    open_end = g.integer(0, x.rank - 1)
    while axis < len(order):
        if axis == open_end:
            parts.append(g.ints(-1))
        else:
            picked = g.op("Gather", shape, g.param(np.array(axis), INT64, held=1.0), axis=0)
            axes = g.ints(0)
            parts.append(
                g.op("Unsqueeze", picked, axes)
                if g.opset >= 13
                else g.op("Unsqueeze", picked, axes=[0])
            )
        axis += 1
    if g.chance(0.5) and open_end + 1 < x.rank:
        del parts[open_end + 1]
    g.op("Reshape", x, g.op("Concat", *parts, axis=0))


@maker(2)
def unsqueeze(g: Graph) -> None:
    """A dimension of one element, or the removal of one."""
    x = g.pick(lambda v: v.rank <= 4)
    ones = [i for i, d in enumerate(x.dims) if set(d) == {1}]
    if ones and g.chance(0.5):
        name, axes = "Squeeze", [int(g.choose(ones))]
    else:
        name, axes = "Unsqueeze", [g.integer(0, x.rank)]
    if g.opset >= 13:
        g.op(name, x, g.ints(*axes))
    else:
        g.op(name, x, axes=axes)


@maker(1)
def flatten(g: Graph) -> None:
    """Two dimensions."""
    x = g.pick(lambda v: v.rank >= 1)
    g.op("Flatten", x, axis=g.integer(0, x.rank))


@maker(2)
def expand(g: Graph) -> None:
    """Repetition of what has one element."""
    x = g.pick(lambda v: v.static)
    shape = [g.integer(1, 9) if d == 1 and g.chance(0.7) else d for d in x.arrays[0].shape]
    if g.chance(0.3):
        shape.insert(0, g.integer(1, 5))
    g.op("Expand", x, g.ints(*shape))


@maker(1)
def tile(g: Graph) -> None:
    """Repetition of everything."""
    x = g.pick(lambda v: v.rank >= 1)
    g.op("Tile", x, g.ints(*[g.integer(1, 3) for _ in range(x.rank)]))


@maker(3)
def concat(g: Graph) -> None:
    """Several values of equal extents but one."""
    x = g.pick(lambda v: v.rank >= 1)
    axis = g.integer(0, x.rank - 1)
    parts = [x]
    for _ in range(g.integer(1, 3)):

        def fits(v: Value) -> bool:
            return v.kind == x.kind and v.rank == x.rank and all(
                a == b for i, (a, b) in enumerate(zip(v.dims, x.dims)) if i != axis
            )

        if g.chance(0.7):
            parts.append(g.pick(fits))
        elif x.static:
            shape = list(x.arrays[0].shape)
            shape[axis] = g.integer(1, 9)
            parts.append(g.param(g.draw(shape, x.kind), x.kind))
    g.op("Concat", *parts, axis=axis - (x.rank if g.chance(0.3) else 0))


@maker(2)
def split(g: Graph) -> None:
    """Pieces along one dimension."""
    x = g.pick(lambda v: v.rank >= 1)
    axis = axis_of(g, x)
    extent = x.size(axis)
    if extent < 2:
        raise Reject("nothing to split")
    count = g.integer(2, min(3, extent))
    cuts = sorted(int(c) for c in g.rng.choice(np.arange(1, extent), count - 1, replace=False))
    sizes = np.diff([0, *cuts, extent]).tolist()
    if g.opset >= 13:
        g.op("Split", x, g.ints(*sizes), outputs=count, axis=axis)
    else:
        g.op("Split", x, outputs=count, axis=axis, split=sizes)


@maker(3)
def slice_(g: Graph) -> None:
    """Ranges with steps of either sign, bounds beyond the ends included."""
    x = g.pick(lambda v: v.rank >= 1)
    axes = sorted({g.integer(0, x.rank - 1) for _ in range(g.integer(1, 2))})
    starts, ends, steps = [], [], []
    for axis in axes:
        extent = min(x.dims[axis])
        step = g.choose((1, 1, 1, 2, 3, -1, -2))
        low = g.integer(0, max(0, extent - 1))
        high = g.integer(low + 1, extent) if extent > low else low
        if step < 0:
            low, high = max(high - 1, 0), low - 1
            high = -(2**31) if high < 0 else high
        elif g.chance(0.3):
            high = g.choose((2**31 - 1, 2**62))
        if step > 0 and g.chance(0.3) and len(set(x.dims[axis])) == 1:
            low -= extent
        starts.append(low), ends.append(high), steps.append(step)
    g.op("Slice", x, g.ints(*starts), g.ints(*ends), g.ints(*axes), g.ints(*steps))


@maker(2)
def pad(g: Graph) -> None:
    """Frames of a constant, of the edge or of the reflection; negative ones crop."""
    x = g.pick(lambda v: v.rank >= 1 and is_float(v.kind))
    mode = g.choose(("constant", "constant", "edge", "reflect"))
    least = [min(d) for d in x.dims]
    if min(least) < 1:
        raise Reject("nothing to pad with")
    most = [min(3, n - 1) if mode == "reflect" else 3 for n in least]
    low = -1 if mode == "constant" and min(least) > 2 and g.chance(0.2) else 0
    pads = [g.integer(low, m) if g.chance(0.6) else 0 for m in most * 2]
    if mode == "constant" and g.chance(0.5):
        g.op("Pad", x, g.ints(*pads), g.scalar(float(g.integer(-2, 2)), x.kind), mode=mode)
    else:
        g.op("Pad", x, g.ints(*pads), mode=mode)


def indices(g: Graph, shape: List[int], extent: int) -> Value:
    """Positions along an extent, some counted from its end."""
    numbers = g.rng.integers(-extent if g.chance(0.4) else 0, extent, shape)
    kind = g.choose((INT32, INT64))
    return g.param(numbers.astype(np.int32 if kind == INT32 else np.int64), kind, held=0.5)


@maker(3)
def gather(g: Graph) -> None:
    """Rows by position."""
    x = g.pick(lambda v: v.rank >= 1)
    axis = axis_of(g, x)
    extent = min(x.dims[axis])
    if extent < 1:
        raise Reject("no rows")
    shape = [g.integer(1, 6) for _ in range(g.integer(0, 2))]
    g.op("Gather", x, indices(g, shape, extent), axis=axis)


@maker(1)
def gather_elements(g: Graph) -> None:
    """Elements by position along one dimension."""
    x = g.pick(lambda v: v.rank >= 1 and v.static)
    axis = axis_of(g, x)
    shape = [g.integer(1, d) if d else 0 for d in x.arrays[0].shape]
    if 0 in shape:
        raise Reject("nothing there")
    shape[axis] = g.integer(1, 7)
    g.op("GatherElements", x, indices(g, shape, x.size(axis)), axis=axis)


@maker(1)
def scatter(g: Graph) -> None:
    """Updates of elements, each at most once unless they are added."""
    x = g.pick(lambda v: v.rank >= 1 and v.static and (is_float(v.kind) or is_integer(v)))
    axis = axis_of(g, x)
    extent = x.size(axis)
    if extent < 1 or 0 in x.arrays[0].shape:
        raise Reject("nothing there")
    shape = list(x.arrays[0].shape)
    shape[axis] = g.integer(1, extent)
    order = np.argsort(g.rng.random(x.arrays[0].shape), axis)
    places = np.take(order, np.arange(shape[axis]), axis)
    updates = g.param(g.draw(shape, x.kind), x.kind, held=0.3)
    more = dict(reduction="add") if g.opset >= 16 and is_float(x.kind) and g.chance(0.4) else {}
    g.op("ScatterElements", x, g.param(places, INT64, held=0.5), updates, axis=axis, **more)


@maker(1)
def scatter_nd(g: Graph) -> None:
    """Updates of slices."""
    x = g.pick(lambda v: v.rank >= 1 and v.static and is_float(v.kind))
    shape = x.arrays[0].shape
    if 0 in shape:
        raise Reject("nothing there")
    width = g.integer(1, x.rank)
    total = int(np.prod(shape[:width]))
    count = g.integer(1, min(total, 6))
    chosen = g.rng.choice(total, count, replace=False)
    places = np.stack(np.unravel_index(chosen, shape[:width]), -1).astype(np.int64)
    updates = g.param(g.draw([count, *shape[width:]], x.kind), x.kind, held=0.3)
    g.op("ScatterND", x, g.param(places, INT64, held=0.5), updates)


@maker(1)
def blocks(g: Graph) -> None:
    """Blocks of an image into channels, or back."""
    x = g.pick(lambda v: v.rank == 4 and is_float(v.kind))
    b = g.integer(2, 3)
    if g.chance(0.5):
        if x.size(1) % (b * b):
            raise Reject("channels do not divide")
        g.op("DepthToSpace", x, blocksize=b, mode=g.choose(("DCR", "CRD")))
    else:
        if any(n % b for axis in (2, 3) for n in x.dims[axis]):
            raise Reject("extents do not divide")
        g.op("SpaceToDepth", x, blocksize=b)


@maker(1, since=14)
def triangle(g: Graph) -> None:
    """The upper or lower triangle."""
    x = g.floats(2)
    if g.chance(0.5):
        g.op("Trilu", x, upper=g.integer(0, 1))
    else:
        g.op("Trilu", x, g.param(np.array(g.integer(-3, 3)), INT64, held=1.0), upper=g.integer(0, 1))


@maker(1)
def one_hot(g: Graph) -> None:
    """Rows of a unit matrix."""
    depth = g.integer(2, 9)
    shape = [g.integer(1, 6) for _ in range(g.integer(1, 2))]
    values = g.param(g.draw([2], g.kind), g.kind, held=1.0)
    places = g.param(g.rng.integers(-depth, depth, shape), INT64, held=0.2)
    g.op("OneHot", places, g.param(np.array(depth), INT64, held=1.0), values, axis=g.choose((-1, 0)))


@maker(1)
def reverse(g: Graph) -> None:
    """Reversed beginnings of rows."""
    x = g.pick(lambda v: v.rank >= 2 and is_float(v.kind))
    batch = g.integer(0, 1)
    count, time = x.size(batch), min(x.dims[1 - batch])
    if time < 1:
        raise Reject("nothing there")
    lengths = g.param(g.rng.integers(1, time + 1, [count]), INT64, held=0.5)
    g.op("ReverseSequence", x, lengths, batch_axis=batch, time_axis=1 - batch)


@maker(2)
def residual(g: Graph) -> None:
    """A transposed or sliced copy of a value, added to something of its shape."""
    x = g.floats(2)
    y = g.op("Transpose", x, perm=[*range(x.rank - 2), x.rank - 1, x.rank - 2])
    g.op("Add", y, partner(g, y))
