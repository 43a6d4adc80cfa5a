# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makers of reductions, normalisations and scans."""

from __future__ import annotations

import numpy as np

from sectile_reference.tensors import FLOAT, FLOAT16

from .growth import INT64, Graph, Reject
from .makers import axis_of, is_integer, maker, some_axes

_REDUCTIONS = (
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceSumSquare", "ReduceLogSumExp", "ReduceSum", "ReduceMean", "ReduceMax",
)  # fmt: skip


@maker(6)
def reduction(g: Graph) -> None:
    """Any reduction over any dimensions."""
    name = g.choose(_REDUCTIONS)
    x = g.pick(is_integer) if g.chance(0.1) and name in ("ReduceSum", "ReduceMax") else g.floats(1)
    if x.rank == 0 or 0 in x.arrays[0].shape:
        raise Reject("nothing to reduce")
    if is_integer(x) and x.arrays[0].dtype.itemsize < 4:
        raise Reject("reductions of narrow integers are not in every opset")
    axes, keep = some_axes(g, x), g.integer(0, 1)
    if g.opset >= (13 if name == "ReduceSum" else 18):
        g.op(name, x, g.ints(*axes), keepdims=keep)
    else:
        g.op(name, x, axes=axes, keepdims=keep)


@maker(2)
def extreme_place(g: Graph) -> None:
    """The place of an extreme."""
    x = g.floats(1)
    axis = axis_of(g, x)
    if min(x.dims[axis]) < 1:
        raise Reject("nothing there")
    g.op(
        g.choose(("ArgMax", "ArgMin")), x, axis=axis, keepdims=g.integer(0, 1),
        select_last_index=g.integer(0, 1),
    )  # fmt: skip


@maker(3)
def softmax(g: Graph) -> None:
    """A softmax, or its logarithm."""
    x = g.floats(1)
    g.op(g.choose(("Softmax", "Softmax", "LogSoftmax")), x, axis=axis_of(g, x, last=True))


@maker(1)
def top_k(g: Graph) -> None:
    """The largest or smallest few, and where they are."""
    x = g.floats(1)
    axis = axis_of(g, x, last=True)
    most = min(x.dims[axis])
    if most < 1:
        raise Reject("nothing there")
    k = g.ints(g.integer(1, min(most, 9)))
    g.op("TopK", x, k, outputs=2, axis=axis, largest=g.integer(0, 1))


@maker(2)
def scan(g: Graph) -> None:
    """Partial sums."""
    x = g.floats(1)
    if x.kind == FLOAT16:
        raise Reject("not of this type")
    axis = g.param(np.array(axis_of(g, x)), INT64, held=1.0)
    g.op("CumSum", x, axis, exclusive=g.integer(0, 1), reverse=g.integer(0, 1))


@maker(3, since=17)
def layer_norm(g: Graph) -> None:
    """Layer normalisation over the last dimensions."""
    x = g.floats(2)
    axis = g.integer(1, x.rank - 1) if g.chance(0.3) else x.rank - 1
    shape = [x.size(i) for i in range(axis, x.rank)]
    scale = g.param(g.draw(shape, x.kind, 0.5, 1.5), x.kind)
    bias = [g.param(g.draw(shape, x.kind), x.kind)] if g.chance(0.7) else []
    _well_spread(x.arrays, tuple(range(axis, x.rank)))
    g.op("LayerNormalization", x, scale, *bias, axis=axis - (x.rank if g.chance(0.5) else 0))


@maker(2)
def decomposed_norm(g: Graph) -> None:
    """Layer or RMS normalisation as older exporters write it."""
    x = g.floats(2)
    if x.kind == FLOAT16:
        raise Reject("the exact form overflows or loses digits")
    last = x.size(x.rank - 1)
    _well_spread(x.arrays, (x.rank - 1,))

    def mean(v):  # noqa: ANN001, ANN202
        if g.opset >= 18:
            return g.op("ReduceMean", v, g.ints(-1), keepdims=1)
        return g.op("ReduceMean", v, axes=[-1], keepdims=1)

    centred = g.op("Sub", x, mean(x)) if g.chance(0.7) else x
    square = g.op("Pow", centred, g.scalar(2.0, x.kind))
    spread = g.op("Sqrt", g.op("Add", mean(square), g.scalar(1e-5, x.kind)))
    scale = g.param(g.draw([last], x.kind, 0.5, 1.5), x.kind)
    normal = g.op("Mul", g.op("Div", centred, spread), scale)
    if g.chance(0.6):
        g.op("Add", normal, g.param(g.draw([last], x.kind), x.kind))


@maker(1)
def batch_norm(g: Graph) -> None:
    """Batch normalisation with known statistics."""
    x = g.floats(2)
    channels = x.size(1)
    low_high = ((0.5, 1.5), (-1, 1), (-1, 1), (0.5, 2.0))
    params = [g.param(g.draw([channels], x.kind, *pair), x.kind) for pair in low_high]
    g.op("BatchNormalization", x, *params)


@maker(1)
def instance_norm(g: Graph) -> None:
    """Normalisation of each image's channels."""
    x = g.floats(3)
    channels = x.size(1)
    _well_spread(x.arrays, tuple(range(2, x.rank)))
    scale = g.param(g.draw([channels], x.kind, 0.5, 1.5), x.kind)
    g.op("InstanceNormalization", x, scale, g.param(g.draw([channels], x.kind), x.kind))


@maker(1)
def lp_norm(g: Graph) -> None:
    """Rows of unit length."""
    x = g.floats(1)
    if x.kind != FLOAT:
        raise Reject("not of this type in every opset")
    axis = axis_of(g, x, last=True)
    for a in x.arrays:
        if np.abs(a).sum(axis).min(initial=1.0) < 1e-2:
            raise Reject("a row next to zero")
    g.op("LpNormalization", x, axis=axis, p=g.integer(1, 2))


def _well_spread(arrays, axes) -> None:  # noqa: ANN001
    """Rejects rows whose spread is all rounding: their normalised form is noise."""
    for a in arrays:
        if a.size and a.std(axis=axes).min() < 1e-2 * max(1.0, float(np.abs(a).max())):
            raise Reject("a row of nearly equal elements")
