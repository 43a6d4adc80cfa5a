# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Operators that make and rearrange tensors."""

from __future__ import annotations

from typing import List, Optional, Sequence

import numpy as np
from onnx import TensorProto

from .registry import Call, as_ints, operator
from .tensors import FLOAT, INTEGERS, Tensor, is_float


def _kind(call: Call, index: int = 0) -> int:
    kind = call.kinds[index]
    assert kind is not None
    return kind


def moved(call: Call, array: np.ndarray, index: int = 0) -> Tensor:
    """A rearrangement of the values of input `index`."""
    return Tensor(array, _kind(call, index))


@operator("Constant")
def constant(call: Call) -> Tensor:
    """A literal."""
    if call.get("value") is not None:
        return call.get("value")
    for name in ("value_float", "value_floats"):
        if call.get(name) is not None:
            return call.floats(np.asarray(call.get(name), np.float64))
    for name in ("value_int", "value_ints"):
        if call.get(name) is not None:
            return Tensor(np.asarray(call.get(name), np.int64), TensorProto.INT64)
    raise NotImplementedError(f"node '{call.name}': this form of Constant is not supported")


@operator("ConstantOfShape")
def constant_of_shape(call: Call, shape: np.ndarray) -> Tensor:
    """One value, repeated."""
    value = call.get("value") or Tensor(np.zeros(1, np.float32), FLOAT)
    return Tensor(np.full(as_ints(shape), value.array.ravel()[0]), value.kind)


@operator("EyeLike")
def eye_like(call: Call, x: np.ndarray) -> Tensor:
    """Ones on the `k`-th diagonal."""
    kind = call.get("dtype") or _kind(call)
    eye = np.eye(x.shape[0], x.shape[1], call.get("k", 0))
    return call.floats(eye, kind) if is_float(kind) else Tensor(eye.astype(INTEGERS[kind]), kind)


@operator("Range")
def range_(call: Call, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> Tensor:
    """`start`, `start + delta`, ... before `limit`."""
    start, limit, delta = (np.asarray(v).ravel()[0] for v in (start, limit, delta))
    if delta == 0:
        raise ValueError(f"node '{call.name}': expects a step that is not 0")
    wide = (float(limit) - float(start)) / float(delta)
    count = max(int(np.ceil(wide)), 0)
    return moved(call, (start + np.arange(count) * delta).astype(np.asarray(start).dtype))


@operator("Shape")
def shape(call: Call, x: np.ndarray) -> np.ndarray:
    """The sizes of dimensions `start` to `end`."""
    return np.asarray(x.shape[slice(call.get("start", 0), call.get("end"))], np.int64)


@operator("Size")
def size(call: Call, x: np.ndarray) -> np.ndarray:
    """The number of elements."""
    return np.asarray(x.size, np.int64)


@operator("Reshape")
def reshape(call: Call, x: np.ndarray, target: Optional[np.ndarray] = None) -> Tensor:
    """Sizes of 0 copy the input's (unless `allowzero`), -1 is inferred."""
    sizes = as_ints(call.get("shape") if target is None else target) or []
    if not call.get("allowzero", 0):
        sizes = [x.shape[i] if s == 0 else s for i, s in enumerate(sizes)]
    if -1 in sizes and x.size == 0:
        rest = int(np.prod([s for s in sizes if s != -1]))
        sizes = [(0 if rest == 0 else x.size // rest) if s == -1 else s for s in sizes]
    return moved(call, x.reshape(sizes))


@operator("Flatten")
def flatten(call: Call, x: np.ndarray) -> Tensor:
    """Two dimensions, split before `axis`."""
    axis = call.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    rows = int(np.prod(x.shape[:axis], dtype=np.int64))
    return moved(call, x.reshape(rows, int(np.prod(x.shape[axis:], dtype=np.int64))))


@operator("Squeeze")
def squeeze(call: Call, x: np.ndarray, axes: Optional[np.ndarray] = None) -> Tensor:
    """Drops dimensions of size 1."""
    chosen = as_ints(call.get("axes") if call.opset < 13 else axes)
    return moved(call, np.squeeze(x, None if chosen is None else tuple(chosen)))


@operator("Unsqueeze")
def unsqueeze(call: Call, x: np.ndarray, axes: Optional[np.ndarray] = None) -> Tensor:
    """Inserts dimensions of size 1."""
    chosen = as_ints(call.get("axes") if call.opset < 13 else axes) or []
    return moved(call, np.expand_dims(x, tuple(chosen)) if chosen else x)


@operator("Transpose")
def transpose(call: Call, x: np.ndarray) -> Tensor:
    """Permutes dimensions; the default reverses them."""
    return moved(call, np.transpose(x, call.get("perm")))


@operator("Concat")
def concat(call: Call, *values: np.ndarray) -> Tensor:
    """Joins along `axis`."""
    return moved(call, np.concatenate(values, call.get("axis", 1)))


@operator("Split")
def split(call: Call, x: np.ndarray, sizes: Optional[np.ndarray] = None) -> List[Tensor]:
    """Equal parts unless sizes are given; the last one is smaller where `num_outputs` is uneven."""
    axis = call.get("axis", 0)
    parts = as_ints(sizes if sizes is not None else call.get("split"))
    if parts is None:
        each = -(-x.shape[axis] // call.outputs)
        parts = [each] * (call.outputs - 1)
        parts.append(x.shape[axis] - sum(parts))
    return [moved(call, part) for part in np.split(x, np.cumsum(parts)[:-1], axis)]


@operator("Slice")
def slice_(
    call: Call, x: np.ndarray, starts: Optional[np.ndarray] = None,
    ends: Optional[np.ndarray] = None, axes: Optional[np.ndarray] = None,
    steps: Optional[np.ndarray] = None,
) -> Tensor:  # fmt: skip
    """Bounds are attributes before opset 10, inputs from there on."""
    names = ("starts", "ends", "axes")
    given: Sequence[object] = (starts, ends, axes)
    if call.opset < 10:
        given = [call.get(name) for name in names]
    first, last, which = (None if v is None else as_ints(np.asarray(v)) for v in given)
    assert first is not None and last is not None
    which = which if which is not None else list(range(len(first)))
    stride = as_ints(steps) or [1] * len(first)
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(which, first, last, stride):
        length = x.shape[axis]
        start, end = (v + length if v < 0 else v for v in (start, end))
        if step > 0:
            start, end = min(max(start, 0), length), min(max(end, 0), length)
            index[axis] = slice(start, end, step)
        else:
            start, end = min(max(start, 0), length - 1), min(max(end, -1), length - 1)
            index[axis] = slice(start, None if end < 0 else end, step)
    return moved(call, x[tuple(index)])


def _checked(call: Call, indices: np.ndarray, limit: int) -> np.ndarray:
    """Indices with the negative ones resolved."""
    if indices.size and (indices.min() < -limit or indices.max() >= limit):
        raise IndexError(f"node '{call.name}': expects indices within {limit}")
    return np.where(indices < 0, indices + limit, indices)


@operator("Gather")
def gather(call: Call, x: np.ndarray, indices: np.ndarray) -> Tensor:
    """Rows of `x` along `axis`."""
    axis = call.get("axis", 0)
    return moved(call, np.take(x, _checked(call, indices, x.shape[axis]), axis))


@operator("GatherElements")
def gather_elements(call: Call, x: np.ndarray, indices: np.ndarray) -> Tensor:
    """One element for each index, the other coordinates being the index's own."""
    axis = call.get("axis", 0) % x.ndim
    grid = list(np.indices(indices.shape, sparse=True))
    grid[axis] = _checked(call, indices, x.shape[axis])
    return moved(call, x[tuple(grid)])


@operator("GatherND")
def gather_nd(call: Call, x: np.ndarray, indices: np.ndarray) -> Tensor:
    """Slices of `x` at coordinates held in the last dimension of `indices`."""
    batch, width = call.get("batch_dims", 0), indices.shape[-1]
    lead = np.indices(indices.shape[:-1], sparse=True)[:batch]
    places = [_checked(call, indices[..., i], x.shape[batch + i]) for i in range(width)]
    return moved(call, x[tuple(lead) + tuple(places)])


_SCATTER = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _scatter(call: Call, x: np.ndarray, place: tuple, updates: np.ndarray) -> Tensor:
    result, how = x.copy(), call.get("reduction", "none")
    if how == "none":
        result[place] = updates
    else:
        _SCATTER[how].at(result, place, updates)
    return moved(call, result)


@operator("ScatterElements", "Scatter")
def scatter_elements(call: Call, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> Tensor:
    """The inverse of GatherElements."""
    axis = call.get("axis", 0) % x.ndim
    grid = list(np.indices(indices.shape))
    grid[axis] = _checked(call, indices, x.shape[axis])
    return _scatter(call, x, tuple(grid), updates)


@operator("ScatterND")
def scatter_nd(call: Call, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> Tensor:
    """The inverse of GatherND."""
    places = [_checked(call, indices[..., i], x.shape[i]) for i in range(indices.shape[-1])]
    return _scatter(call, x, tuple(places), updates)


@operator("Expand")
def expand(call: Call, x: np.ndarray, target: np.ndarray) -> Tensor:
    """Broadcasts in both directions."""
    full = np.broadcast_shapes(x.shape, tuple(as_ints(target) or []))
    return moved(call, np.broadcast_to(x, full))


@operator("Tile")
def tile(call: Call, x: np.ndarray, repeats: np.ndarray) -> Tensor:
    """Repeats along each dimension."""
    return moved(call, np.tile(x, as_ints(repeats)))


@operator("Pad")
def pad(
    call: Call, x: np.ndarray, pads: Optional[np.ndarray] = None,
    value: Optional[np.ndarray] = None, axes: Optional[np.ndarray] = None,
) -> Tensor:  # fmt: skip
    """Pads, or crops where a pad is negative."""
    if call.opset < 11:
        amounts, fill = list(call.get("pads")), call.get("value", 0.0)
    else:
        amounts = as_ints(pads) or []
        fill = 0 if value is None or value.size == 0 else value.ravel()[0]
    chosen = [a % x.ndim for a in (as_ints(axes) if axes is not None else range(x.ndim))]
    before, after = [0] * x.ndim, [0] * x.ndim
    for i, axis in enumerate(chosen):
        before[axis], after[axis] = amounts[i], amounts[len(chosen) + i]
    mode = call.get("mode", "constant")
    extra = {"constant_values": fill} if mode == "constant" else {}
    crop = tuple(slice(max(-b, 0), n - max(-a, 0)) for b, a, n in zip(before, after, x.shape))
    widths = [(max(b, 0), max(a, 0)) for b, a in zip(before, after)]
    y = x[crop]
    if mode == "wrap":  # numpy before 1.25 loses its place beyond one turn
        for axis, (front, back) in enumerate(widths):
            if front or back:
                y = np.take(y, np.arange(-front, y.shape[axis] + back) % y.shape[axis], axis)
        return moved(call, y)
    return moved(call, np.pad(y, widths, mode, **extra))


@operator("Trilu")
def trilu(call: Call, x: np.ndarray, k: Optional[np.ndarray] = None) -> Tensor:
    """The upper or lower triangle."""
    offset = 0 if k is None else int(k.ravel()[0])
    return moved(call, np.triu(x, offset) if call.get("upper", 1) else np.tril(x, offset))


@operator("DepthToSpace")
def depth_to_space(call: Call, x: np.ndarray) -> Tensor:
    """Blocks of channels become blocks of pixels."""
    n, c, h, w = x.shape
    b = call.get("blocksize")
    if call.get("mode", "DCR") == "DCR":
        y = x.reshape(n, b, b, c // (b * b), h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        y = x.reshape(n, c // (b * b), b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    return moved(call, y.reshape(n, c // (b * b), h * b, w * b))


@operator("SpaceToDepth")
def space_to_depth(call: Call, x: np.ndarray) -> Tensor:
    """Blocks of pixels become blocks of channels."""
    n, c, h, w = x.shape
    b = call.get("blocksize")
    order = (0, 3, 5, 1, 2, 4) if call.get("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    y = x.reshape(n, c, h // b, b, w // b, b).transpose(order)
    return moved(call, y.reshape(n, c * b * b, h // b, w // b))


@operator("OneHot")
def one_hot(call: Call, indices: np.ndarray, depth: np.ndarray, values: np.ndarray) -> Tensor:
    """Rows with one value in the place that each index names."""
    count, axis = int(np.asarray(depth).ravel()[0]), call.get("axis", -1)
    whole = indices.astype(np.int64)
    whole = np.where(whole < 0, whole + count, whole)
    hot = np.expand_dims(whole, axis) == np.arange(count).reshape(
        [-1 if i == axis % (indices.ndim + 1) else 1 for i in range(indices.ndim + 1)]
    )
    return moved(call, np.where(hot, values[1], values[0]), 2)


@operator("NonZero")
def non_zero(call: Call, x: np.ndarray) -> np.ndarray:
    """Coordinates of the elements that are not zero, one column each."""
    return np.array(np.nonzero(x), np.int64)


@operator("Compress")
def compress(call: Call, x: np.ndarray, condition: np.ndarray) -> Tensor:
    """The slices for which `condition` holds."""
    return moved(call, np.compress(condition, x, call.get("axis")))


@operator("ReverseSequence")
def reverse_sequence(call: Call, x: np.ndarray, lengths: np.ndarray) -> Tensor:
    """Reverses a prefix of each sequence."""
    time, batch = call.get("time_axis", 0), call.get("batch_axis", 1)
    result = x.copy()
    for i, length in enumerate(as_ints(lengths) or []):
        index: list = [slice(None)] * x.ndim
        index[batch] = i
        source = np.moveaxis(x, (batch, time), (0, 1))[i]
        target = np.moveaxis(result, (batch, time), (0, 1))[i]
        target[:length] = source[:length][::-1]
    return moved(call, result)
