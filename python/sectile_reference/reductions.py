# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reductions, scans and selections."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np

from .registry import Call, as_ints, operator
from .shapes import moved
from .tensors import Tensor


def _axes(call: Call, given: Optional[np.ndarray]) -> Optional[Tuple[int, ...]]:
    """The axes to reduce: None for all, () for none."""
    from_input = call.opset >= (13 if call.op == "ReduceSum" else 18)
    axes = as_ints(given if from_input else call.get("axes"))
    if not axes:
        return () if call.get("noop_with_empty_axes", 0) else None
    return tuple(axes)


def _mean(x: np.ndarray, **where: object) -> np.ndarray:
    if x.dtype.kind == "f":
        return np.mean(x, **where)
    # Integers are divided as Div divides them: towards zero.
    total = np.sum(x, **where, dtype=np.int64)
    quotient = np.abs(total) // (x.size // max(total.size, 1))
    return (np.sign(total) * quotient).astype(x.dtype)


def _log_sum_exp(x: np.ndarray, axis: Optional[tuple], keepdims: bool) -> np.ndarray:
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis)


def _extreme(x: np.ndarray, function, axis: Optional[tuple], keepdims: bool) -> np.ndarray:
    if x.size:
        return function(x, axis=axis, keepdims=keepdims)
    low = function is np.max
    if x.dtype.kind == "f":
        least = -np.inf if low else np.inf
    elif x.dtype == np.bool_:
        least = not low
    else:
        least = np.iinfo(x.dtype).min if low else np.iinfo(x.dtype).max
    return function(x, axis=axis, keepdims=keepdims, initial=least)


@operator(
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare",
)  # fmt: skip
def reduce_(call: Call, x: np.ndarray, axes: Optional[np.ndarray] = None) -> np.ndarray:
    """Axes are an attribute or, from opset 18 (13 for ReduceSum) on, an input."""
    axis = _axes(call, axes)
    if axis == ():
        if call.op in ("ReduceL1", "ReduceL2"):
            return np.abs(x)
        if call.op == "ReduceSumSquare":
            return x * x
        return np.log(x) if call.op == "ReduceLogSum" else x
    where = dict(axis=axis, keepdims=bool(call.get("keepdims", 1)))
    function = {
        "ReduceSum": lambda: np.sum(x, dtype=x.dtype, **where),
        "ReduceMean": lambda: _mean(x, **where),
        "ReduceMax": lambda: _extreme(x, np.max, **where),
        "ReduceMin": lambda: _extreme(x, np.min, **where),
        "ReduceProd": lambda: np.prod(x, dtype=x.dtype, **where),
        "ReduceL1": lambda: np.sum(np.abs(x), dtype=x.dtype, **where),
        "ReduceL2": lambda: np.sqrt(np.sum(x * x, **where)),
        "ReduceLogSum": lambda: np.log(np.sum(x, **where)),
        "ReduceLogSumExp": lambda: _log_sum_exp(x, **where),
        "ReduceSumSquare": lambda: np.sum(x * x, dtype=x.dtype, **where),
    }[call.op]
    result = function()
    return result if x.dtype.kind == "f" else result.astype(x.dtype)


@operator("ArgMax", "ArgMin")
def arg_extreme(call: Call, x: np.ndarray) -> np.ndarray:
    """The index of the first (or last) extreme element."""
    axis, function = call.get("axis", 0), np.argmax if call.op == "ArgMax" else np.argmin
    if call.get("select_last_index", 0):
        index = x.shape[axis] - 1 - function(np.flip(x, axis), axis)
    else:
        index = function(x, axis)
    return (np.expand_dims(index, axis) if call.get("keepdims", 1) else index).astype(np.int64)


@operator("TopK")
def top_k(call: Call, x: np.ndarray, k: Optional[np.ndarray] = None) -> Tuple[Tensor, np.ndarray]:
    """The `k` largest or smallest; equal elements by lower index."""
    count = call.get("k") if k is None else int(k.ravel()[0])
    axis = call.get("axis", -1)
    keys = x
    if call.get("largest", 1):
        keys = -x.astype(np.float64) if x.dtype.kind == "f" else ~x
    order = np.take(np.argsort(keys, axis, kind="stable"), np.arange(count), axis)
    return moved(call, np.take_along_axis(x, order, axis)), order.astype(np.int64)


@operator("CumSum")
def cum_sum(call: Call, x: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Running sums, possibly from the end, possibly without the element itself."""
    along = int(np.asarray(axis).ravel()[0])
    values = np.flip(x, along) if call.get("reverse", 0) else x
    total = np.cumsum(values, along, dtype=x.dtype)
    if call.get("exclusive", 0):
        total = total - values
    return np.flip(total, along) if call.get("reverse", 0) else total


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """Softmax along `axis`."""
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    powers = np.exp(x - top)
    return powers / np.sum(powers, axis=axis, keepdims=True)


@operator("Softmax", "LogSoftmax", "Hardmax")
def soft_max(call: Call, x: np.ndarray) -> np.ndarray:
    """Along `axis`; before opset 13 over the dimensions from `axis` (default 1) on together."""
    axis, shape = call.get("axis", -1 if call.opset >= 13 else 1), x.shape
    if call.opset < 13:
        axis = axis + x.ndim if axis < 0 else axis
        x = x.reshape(int(np.prod(shape[:axis], dtype=np.int64)), -1 if x.size else 0)
        axis = 1
    if call.op == "Softmax":
        y = softmax(x, axis)
    elif call.op == "LogSoftmax":
        y = x - _log_sum_exp(x, (axis,), True)
    else:
        y = np.zeros_like(x)
        np.put_along_axis(y, np.expand_dims(np.argmax(x, axis), axis), 1, axis)
    return y.reshape(shape)
